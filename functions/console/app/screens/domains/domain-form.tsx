/** Adds an accepted domain, or changes its fields. */
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import RadioGroup from '@cloudscape-design/components/radio-group'
import Textarea from '@cloudscape-design/components/textarea'
import { useState } from 'react'
import { normaliseDomain } from '../../../../../shared/mail/domain.ts'
import type { AcceptedDomain } from '../../api/types.ts'
import { ViewLink } from '../../components/view-link.tsx'
import { ChangeModal } from './change-modal.tsx'
import {
  addEffects,
  domainFault,
  modeEffects,
  modeTexts,
  type RecipientsMode,
  recipientsModes,
} from './domain-texts.ts'
import { domainPath, useDomainChange } from './use-domains.ts'

const maxCommentLength = 1000

interface DomainFormProps {
  /** Null: a domain is added. */
  domain: AcceptedDomain | null
  onSaved(saved: AcceptedDomain): void
  onClose(): void
}

export function DomainForm({ domain: current, onSaved, onClose }: DomainFormProps) {
  // The fields that the person was shown, also when the domain changes meanwhile.
  const [original] = useState(current)
  const [name, setName] = useState('')
  const [recipients, setRecipients] = useState<RecipientsMode>(original?.recipients ?? 'Any')
  const [comment, setComment] = useState(original?.comment ?? '')
  const [isChecked, setIsChecked] = useState(false)
  const change = useDomainChange(original, onSaved)
  const domain = original?.domain ?? name.trim()
  const fault = original === null ? domainFault(domain) : null
  const isAccepted = original === null && change.error?.status === 428
  const hasList = original?.recipientList !== undefined
  const effects = original === null ? addEffects(domain) : modeEffects(original, recipients)
  const save = () => {
    setIsChecked(true)
    if (fault !== null) return
    change.mutate({
      method: original === null ? 'PUT' : 'PATCH',
      path: domainPath(domain),
      body: { recipients, comment: comment.trim() },
    })
  }
  return (
    <ChangeModal
      title={original === null ? 'Add an accepted domain' : `Edit ${domain}`}
      act={original === null ? 'Add' : 'Save'}
      effects={effects}
      isWarning={original !== null && effects.length > 0 && recipients !== 'Any'}
      error={isAccepted ? null : change.error}
      isPending={change.isPending}
      onAct={save}
      onClose={onClose}
    >
      {original === null && (
        <FormField
          label="Domain"
          description="Subdomains are domains of their own. Add each."
          errorText={
            isAccepted ? (
              <>
                {domain} is already accepted.{' '}
                <ViewLink to={`/domains/${normaliseDomain(domain) ?? ''}`}>Open its page</ViewLink>
              </>
            ) : (
              isChecked && fault
            )
          }
        >
          <Input
            value={name}
            placeholder="example.com"
            spellcheck={false}
            onChange={({ detail }) => {
              setName(detail.value)
              change.reset()
            }}
          />
        </FormField>
      )}
      <FormField label="Recipients" description="Which addresses of the domain the gateway accepts.">
        <RadioGroup
          value={recipients}
          onChange={({ detail }) => setRecipients(detail.value as RecipientsMode)}
          items={recipientsModes.map((mode) => {
            const isDisabled = mode === 'List' && !hasList
            return {
              value: mode,
              label: modeTexts[mode].label,
              disabled: isDisabled,
              description: isDisabled
                ? 'First add addresses to the list of the domain.'
                : modeTexts[mode].description,
            }
          })}
        />
      </FormField>
      <FormField label="Comment (optional)" constraintText={`At most ${maxCommentLength} characters.`}>
        <Textarea
          rows={2}
          value={comment}
          onChange={({ detail }) => setComment(detail.value.slice(0, maxCommentLength))}
        />
      </FormField>
    </ChangeModal>
  )
}
