/** Review: what is saved, what this does to mail, and what the API still needs to know. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import FormField from '@cloudscape-design/components/form-field'
import Header from '@cloudscape-design/components/header'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { type ApiError, unsavedHeader } from '../../api/api-error.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { needsWaitingChoice, type WaitingChoice } from '../partners/use-stage-change.ts'
import { ChangeList } from './change-list.tsx'
import {
  createdFields,
  effectsOfDraft,
  fieldChanges,
  needsCare,
  notValidatedText,
  unknownEffectText,
} from './difference.ts'
import { type Body, type Connector, fieldsNotShown, shownFields } from './draft.ts'
import { DraftWarnings } from './draft-warnings.tsx'
import type { DryRunRequest } from './dry-run-request.ts'
import { FieldsNotShown } from './fields-not-shown.tsx'

interface ReviewStepProps {
  request: DryRunRequest
  base: Connector | null
  error: ApiError | null
  /** Faults of no field. */
  faults: readonly string[]
  hasDryRun: boolean
  /** What happens to mail that waits; undefined: the API has not required a choice. */
  waiting: WaitingChoice | null | undefined
  setWaiting(choice: WaitingChoice): void
}

export function ReviewStep(props: ReviewStepProps) {
  const { request, base, error, faults, hasDryRun, waiting, setWaiting } = props
  const { direction, body } = request
  const before: Body | null = base === null ? null : shownFields(direction, { ...base })
  const changes = before === null ? createdFields(direction, body) : fieldChanges(before, body)
  const effects = effectsOfDraft(direction, before, body)
  const notValidated = notValidatedText(direction, base, body)
  const rest = base === null ? [] : fieldsNotShown(direction, { ...base })
  return (
    <SpaceBetween size="l">
      {error && !needsWaitingChoice(error) && (
        <Alert type="error" header={unsavedHeader(error)}>
          <TextOfOthers text={error.message} />
          {faults.map((fault) => (
            <div key={fault}>
              <TextOfOthers text={fault} />
            </div>
          ))}
        </Alert>
      )}
      <Container
        header={
          <Header variant="h2">{before === null ? `A new ${direction} connector` : 'What changes'}</Header>
        }
      >
        {changes.length === 0 ? (
          <Box color="text-body-secondary">Nothing is changed.</Box>
        ) : (
          <ChangeList changes={changes} isNew={before === null} />
        )}
      </Container>
      {changes.length > 0 && (
        <Alert type={needsCare(before, body) ? 'warning' : 'info'} header="Effect on mail">
          {effects.length === 0 && unknownEffectText(changes, body)}
          {effects.map((sentence) => (
            <div key={sentence}>
              <TextOfOthers text={sentence} />
            </div>
          ))}
          <div>Other connectors may also apply.</div>
          {!hasDryRun && <div>The mail of the last days was not tried: there was no dry run.</div>}
        </Alert>
      )}
      {changes.length > 0 && notValidated !== null && (
        <Alert type="warning" header="This connector has not been validated">
          {notValidated}
        </Alert>
      )}
      <DraftWarnings draft={request} />
      {rest.length > 0 && <FieldsNotShown fields={rest} name={base?.name ?? ''} />}
      {waiting !== undefined && error && (
        <FormField
          label="Mail that waits under this connector"
          description={error.message}
          errorText={waiting === null ? 'Choose what happens to it, then save again.' : undefined}
          stretch
        >
          <RadioGroup
            value={waiting}
            onChange={({ detail }) => setWaiting(detail.value as WaitingChoice)}
            items={[
              { value: 'hold', label: 'Hold it', description: 'It keeps the requirement, and waits on.' },
              {
                value: 'return',
                label: 'Return it',
                description: 'It bounces now: its senders get a DSN.',
              },
            ]}
          />
        </FormField>
      )}
    </SpaceBetween>
  )
}
