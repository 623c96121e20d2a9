/** Security restrictions: the TLS that is required, and fields that few connectors need. */

import { useForm } from './form.ts'
import { InboundSecurity } from './inbound-security.tsx'
import { OutboundSecurity } from './outbound-security.tsx'

export function SecurityStep() {
  const { draft } = useForm()
  return draft.direction === 'inbound' ? <InboundSecurity /> : <OutboundSecurity />
}
