/** Removes an accepted domain, after the person has read what happens to its mail and has typed its name. */
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import { useState } from 'react'
import type { AcceptedDomain } from '../../api/types.ts'
import { ChangeModal } from './change-modal.tsx'
import { removeEffects } from './domain-texts.ts'
import { domainPath, useDomainChange } from './use-domains.ts'

interface RemoveDomainProps {
  domain: AcceptedDomain
  onRemoved(): void
  onClose(): void
}

export function RemoveDomain({ domain: current, onRemoved, onClose }: RemoveDomainProps) {
  const [domain] = useState(current)
  const [text, setText] = useState('')
  const change = useDomainChange(domain, onRemoved)
  return (
    <ChangeModal
      title={`Remove ${domain.domain}`}
      act="Remove"
      effects={removeEffects(domain)}
      isWarning
      error={change.error}
      isPending={change.isPending}
      isDisabled={text.trim().toLowerCase() !== domain.domain}
      onAct={() => change.mutate({ method: 'DELETE', path: domainPath(domain.domain) })}
      onClose={onClose}
    >
      <FormField label="Domain" description={`To confirm, type ${domain.domain}.`}>
        <Input
          value={text}
          placeholder={domain.domain}
          spellcheck={false}
          onChange={({ detail }) => setText(detail.value)}
        />
      </FormField>
    </ChangeModal>
  )
}
