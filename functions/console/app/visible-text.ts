/**
 * Texts that strangers chose, before any component shows them. Attack: characters that hide, move or reorder others, in a
 * place whose component does not expect them, such as a label. Defence: they are replaced where a text enters the page.
 * Pure.
 */
import { invisibleCharacter, mapInvisible } from '../../../shared/contract/visible-text.ts'

/** Line breaks and tabs stay: certificates and replies have them. */
const isLayout = (character: string): boolean =>
  character === '\n' || character === '\r' || character === '\t'

export const visibleText = (text: string): string =>
  invisibleCharacter.test(text)
    ? mapInvisible(text, (character) => (isLayout(character) ? character : '�'))
    : text

const maxNameLength = 80

/** For places that do not break a long name, such as the path to a view. */
export function shortName(name: string): string {
  const shown = visibleText(name)
  return shown.length > maxNameLength ? `${shown.slice(0, maxNameLength)}…` : shown
}

/** A reviver for `JSON.parse`. */
export const visibleValue = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? visibleText(value) : value
