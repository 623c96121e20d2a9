/** The dry run: what would have been decided about the mail of the last 7 days. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import FormField from '@cloudscape-design/components/form-field'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { stageOf, stageTexts } from '../partners/stages.ts'
import type { DryRunRequest } from './dry-run-request.ts'
import { DryRunResult } from './dry-run-result.tsx'
import type { DryRunState } from './use-dry-run.ts'

interface DryRunStepProps {
  request: DryRunRequest
  dryRun: DryRunState
  setEnforced(isEnforced: boolean): void
}

export function DryRunStep({ request, dryRun, setEnforced }: DryRunStepProps) {
  const { direction, isEnforced, body } = request
  const { isStarting, error, result } = dryRun
  const isRunning =
    isStarting || (result === null ? dryRun.completeUntil !== null : result.state === 'Running')
  const isSavedEnforced = body.enabled === true && body.mode === 'Enforce'
  return (
    <Container>
      <SpaceBetween size="l">
        <FormField
          label="The connector"
          description="The mail of the last 7 days is decided again, by the rules that decide real mail. Nothing is changed or sent."
          stretch
        >
          <RadioGroup
            value={isEnforced ? 'Enforced' : 'AsSaved'}
            onChange={({ detail }) => setEnforced(detail.value === 'Enforced')}
            items={[
              {
                value: 'Enforced',
                label: 'As if it were enforced',
                description: 'Shows what it would refuse, hold or defer.',
              },
              {
                value: 'AsSaved',
                label: `As it is saved: ${stageTexts[direction][stageOf(direction, body)].label}`,
                ...(!isSavedEnforced && {
                  description: 'At this stage it refuses, holds and defers nothing.',
                }),
              },
            ]}
          />
        </FormField>
        <Button loading={isRunning} loadingText="Deciding" onClick={() => dryRun.start(request)}>
          {result === null ? 'Start the dry run' : 'Repeat the dry run'}
        </Button>
        {isRunning && (
          <StatusIndicator type="loading">
            Deciding about the mail of 7 days. This takes from a few seconds to a minute.
          </StatusIndicator>
        )}
        {error && (
          <Alert type="warning" header="The dry run failed">
            <TextOfOthers text={error.message} /> You can save the connector without it.
          </Alert>
        )}
        {result !== null && result.state !== 'Running' && (
          <SpaceBetween size="m">
            {dryRun.isOfOther(request) && (
              <Alert type="info">
                You have changed the connector since this dry run. Repeat it to see what the change does.
              </Alert>
            )}
            <DryRunResult result={result} completeUntil={dryRun.completeUntil} />
          </SpaceBetween>
        )}
        {result === null && !isRunning && !error && <span>You can also go on without a dry run.</span>}
      </SpaceBetween>
    </Container>
  )
}
