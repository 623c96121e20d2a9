/**
 * Shows a text that another server or a stranger wrote. Attack: characters that move, hide or reorder their neighbours, or
 * a text that fills the page. Defence: such characters are shown as a sign, the text has a direction of its own, and a long
 * text is cut. React writes it as text, never as markup.
 */
import { mapInvisible } from '../../../../shared/contract/visible-text.ts'
import { BreakableText } from './breakable-text.tsx'

const maxLength = 2000

export function TextOfOthers({ text }: { text: string }) {
  const shown = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return (
    <bdi className="text-of-others">
      <BreakableText text={mapInvisible(shown, (character) => (character === '\n' ? '\n' : '�'))} />
    </bdi>
  )
}
