/** Keys on the pages of records: j and k (or the arrows) walk the lines, c confirms the one in hand, Enter opens it. */

export function listKeys(event: KeyboardEvent, page: HTMLElement): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea, [data-testid="wizard"]')) return;
  const down = event.key === 'j' || event.key === 'ArrowDown';
  const up = event.key === 'k' || event.key === 'ArrowUp';
  if (down || up) {
    const rows = [...page.querySelectorAll<HTMLElement>('[data-row]')];
    const at = rows.findIndex((row) => row === document.activeElement || row.parentElement?.contains(document.activeElement));
    const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (down ? 1 : -1)))];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  } else if (event.key === 'c') {
    const row = target.closest<HTMLElement>('[data-row]');
    const button = row?.parentElement?.querySelector<HTMLButtonElement>('[data-confirm]');
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  }
}
