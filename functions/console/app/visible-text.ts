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

/** A reviver for `JSON.parse`. */
export const visibleValue = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? visibleText(value) : value
