import { effect, signal } from '@preact/signals';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** What the user has chosen; `auto` is what the system says. It is kept for this page alone. */
export const theme = signal<Theme>('auto');
/** Counts the times that colours have changed, so that what is drawn by hand is drawn anew. */
export const colours = signal(0);

/** Applies the theme from now on. */
export function startTheme(): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
    colours.value = colours.peek() + 1;
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.value += 1;
  });
}
