/**
 * The normal form of names of tools, prompts, agents and methods, in which rules judge them beside the spelling of their
 * server: compatibility forms (NFKC), without white space, control characters and what no person sees. Servers list such names
 * and gateways cannot know which of them a server folds, so a rule about one spelling also denies the others.
 *
 * The case of letters stays: names of MCP are case-sensitive (2025-11-25 server/tools, "Tool Names"). So do letters of
 * different alphabets that look alike. Names of servers and grants are ASCII (`config/names.ts`) and have one spelling.
 * @module
 */

const PLAIN = /^[\x21-\x7e]*$/;
/** White space, control and format characters, lone surrogates, and what is drawn as nothing. */
const UNSEEN = /[\s\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]+/gu;
const GLOB_CHARACTER = /[*?[\]{}()!\\|"]/g;

/** The normal form of a name. */
export const normalName = (name: string): string => (PLAIN.test(name) ? name : seen(name));

/** The normal form of a glob over names: it matches the normal forms of what it means. */
export function normalNameGlob(glob: string): string {
  if (PLAIN.test(glob)) return glob;
  // A full-width star is a letter of a name, and no sign of a glob.
  return seen(glob.replace(/[^\0-\x7f]/gu, (sign) => sign.normalize('NFKC').replace(GLOB_CHARACTER, '\\$&')));
}

/** Composing can make a character that has another form, which happens once at most. */
function seen(text: string): string {
  const once = text.normalize('NFKC').replace(UNSEEN, '');
  const twice = once.normalize('NFKC').replace(UNSEEN, '');
  return twice;
}
