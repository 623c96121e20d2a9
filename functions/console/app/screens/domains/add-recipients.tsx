/** Adds addresses to the list of a domain. */
import FormField from '@cloudscape-design/components/form-field'
import Textarea from '@cloudscape-design/components/textarea'
import { useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { ChangeModal } from './change-modal.tsx'
import { readAddresses } from './domain-texts.ts'
import { recipientsPath, useDomainChange } from './use-domains.ts'

interface AddRecipientsProps {
  domain: AcceptedDomain
  onSaved(notice: string): void
  onClose(): void
}

export function AddRecipients({ domain, onSaved, onClose }: AddRecipientsProps) {
  const [text, setText] = useState('')
  const add = readAddresses(text)
  const added = countText(add.length, 'address', 'addresses')
  const change = useDomainChange(domain, () => onSaved(`${added} added to the list`))
  return (
    <ChangeModal
      title={`Add addresses at ${domain.domain}`}
      act={add.length === 0 ? 'Add' : `Add ${added}`}
      effects={
        domain.recipients === 'List' ? ['The gateway accepts mail for these addresses within a second.'] : []
      }
      error={change.error}
      isPending={change.isPending}
      isDisabled={add.length === 0}
      onAct={() => change.mutate({ method: 'PATCH', path: recipientsPath(domain.domain), body: { add } })}
      onClose={onClose}
    >
      <FormField
        label="Addresses"
        description="One a line, or separated by commas. A local part alone is an address of this domain."
        constraintText="A file of Exchange is easier with npx mailflow recipients set."
      >
        <Textarea
          rows={8}
          value={text}
          placeholder={`ann@${domain.domain}`}
          spellcheck={false}
          onChange={({ detail }) => setText(detail.value)}
        />
      </FormField>
    </ChangeModal>
  )
}
