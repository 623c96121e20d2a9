/** Copies what to paste into a zone. */
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard'

interface CopyButtonProps {
  text: string
  /** Distinguishes the button from others. */
  label: string
}

export const CopyButton = ({ text, label }: CopyButtonProps) => (
  <CopyToClipboard
    textToCopy={text}
    copyButtonText="Copy"
    copyButtonAriaLabel={label}
    copySuccessText="Copied"
    copyErrorText="The browser does not permit copying. Select the text instead."
    popoverRenderWithPortal
  />
)
