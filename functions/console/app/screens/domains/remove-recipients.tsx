/** Removes addresses from the list of a domain. */
import { useState } from 'react'
import { countText, firstNames } from '../../../../../shared/policy/text-lists.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { ChangeModal } from './change-modal.tsx'
import { recipientsPath, useDomainChange } from './use-domains.ts'

const maxNames = 10

interface RemoveRecipientsProps {
  domain: AcceptedDomain
  addresses: readonly string[]
  onSaved(notice: string): void
  onClose(): void
}

export function RemoveRecipients(props: RemoveRecipientsProps) {
  const { domain, onSaved, onClose } = props
  const [addresses] = useState(props.addresses)
  const removed = countText(addresses.length, 'address', 'addresses')
  const change = useDomainChange(domain, () => onSaved(`${removed} removed from the list`))
  return (
    <ChangeModal
      title={`Remove ${removed} from the list`}
      act="Remove"
      effects={
        domain.recipients === 'List'
          ? [
              "From then on the gateway refuses mail for them: 550 5.1.1. The sender's server returns the mail.",
            ]
          : []
      }
      isWarning
      error={change.error}
      isPending={change.isPending}
      onAct={() =>
        change.mutate({
          method: 'PATCH',
          path: recipientsPath(domain.domain),
          body: { remove: addresses },
        })
      }
      onClose={onClose}
    >
      <TextOfOthers text={firstNames(addresses, maxNames)} />
    </ChangeModal>
  )
}
