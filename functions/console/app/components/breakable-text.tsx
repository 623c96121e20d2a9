/** A name without spaces that goes on in the next line at its signs, not inside its words. It is copied as it is. */
import { Fragment } from 'react'
import { breakableParts } from './breakable-parts.ts'

export const BreakableText = ({ text }: { text: string }) =>
  breakableParts(text).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts have no other identity
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ))
