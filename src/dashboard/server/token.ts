import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Whether a text is the secret; in a time that tells nothing of how far it is right. */
export type IsToken = (text: string) => boolean;

/** 256 random bits, as they stand in a URL. */
export const newToken = (): string => randomBytes(32).toString('base64url');

/** Compares with a token; digests have one length, whatever is asked. */
export function isTokenOf(token: string): IsToken {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = digest(token);
  return (text) => timingSafeEqual(digest(text), wanted);
}
