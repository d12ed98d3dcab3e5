import type { Lang } from '../lib/types';
import { en } from './en';
import { zhCN } from './zh-CN';

export type Key = keyof typeof en;
export const messages: Record<Lang, Record<Key, string>> = { en, 'zh-CN': zhCN };
