/** The page as text: all that a browser ever loads of it. */
export interface PageAssets {
  html: string;
  js: string;
  css: string;
}
