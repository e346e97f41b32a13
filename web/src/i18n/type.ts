/** What a dictionary is: the English one with any words in place of its own. Plurals have the forms of their language (CLDR). */

export interface Plural {
  one: string;
  other: string;
  zero?: string;
  two?: string;
  few?: string;
  many?: string;
}

export const plural = (one: string, other: string): Plural => ({ one, other });

export type Widened<T> = T extends Plural ? Plural : T extends string ? string : { readonly [K in keyof T]: Widened<T[K]> };
