/** Talks to the server: JSON in and out, RFC 9457 problems as errors. */
import { app } from './store.svelte';

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title || code);
    this.name = 'Problem';
  }
  /** The server could not be reached at all. */
  get unreachable(): boolean {
    return this.code === 'unreachable';
  }
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const body = (await response.json()) as Partial<Record<'code' | 'title' | 'detail', string>>;
    return new Problem(response.status, body.code ?? 'unknown', body.title ?? '', body.detail ?? '');
  } catch {
    return new Problem(response.status, 'unknown', response.statusText, '');
  }
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
}

async function call(path: string, { method = 'GET', body, signal }: Call): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': app.lang };
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(signal ? { signal } : {}),
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    app.reachable = false;
    throw new Problem(0, 'unreachable', '', '');
  }
  app.reachable = true;
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && path !== '/api/session') app.session = null;
  throw problem;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await call(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function send<T>(path: string, method: 'POST' | 'PUT' | 'DELETE', body?: unknown): Promise<T | null> {
  const response = await call(path, { method, body });
  return response.status === 204 ? null : ((await response.json()) as T);
}

/** A query string from what is not empty. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') parts.set(key, String(value));
  }
  const text = parts.toString();
  return text ? `?${text}` : '';
}
