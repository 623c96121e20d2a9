/** The last validation of an outbound connector, step by step, and a button to repeat it. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import FormField from '@cloudscape-design/components/form-field'
import Header from '@cloudscape-design/components/header'
import Input from '@cloudscape-design/components/input'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import Steps from '@cloudscape-design/components/steps'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import type { OutboundConnector, OutboundValidation } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useMay } from '../../api/use-roles.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { latestValidation } from './latest-validation.ts'
import { connectorPath, useRefreshConnectors } from './use-connectors.ts'

const description =
  'Connects to the servers as a delivery does, and sends a test message, to postmaster of the first domain if it is known.'

export function Validation({ connector }: { connector: OutboundConnector }) {
  const api = useApi()
  const refresh = useRefreshConnectors()
  const mayOperate = useMay('operate')
  const [recipient, setRecipient] = useState('')
  const run = useMutation<OutboundValidation, ApiError>({
    mutationFn: () =>
      api.send(
        'POST',
        `${connectorPath('outbound', connector.id)}/validate`,
        needsRecipient ? { recipients: [recipient.trim()] } : undefined,
      ),
    onSettled: () => refresh(),
  })
  const needsRecipient =
    !connector.allAcceptedDomains && connector.recipientDomains.every((pattern) => pattern.startsWith('*'))
  const shown = latestValidation(run.data ?? null, connector)
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={description}
          actions={
            mayOperate && (
              <Button
                loading={run.isPending}
                loadingText="Validating"
                disabled={needsRecipient && recipient.trim() === ''}
                onClick={() => run.mutate()}
              >
                Validate
              </Button>
            )
          }
        >
          Validation of the outbound connector
        </Header>
      }
    >
      <SpaceBetween size="s">
        {mayOperate && needsRecipient && (
          <FormField
            label="Recipient of the test message"
            description="The connector names no domain without a wildcard: enter an address of the partner."
          >
            <Input
              value={recipient}
              type="email"
              spellcheck={false}
              onChange={({ detail }) => setRecipient(detail.value)}
            />
          </FormField>
        )}
        {run.error && (
          <Alert type="error" header="The validation did not run">
            <TextOfOthers
              text={[run.error.message, ...run.error.faults.map(({ message }) => message)].join(' ')}
            />
          </Alert>
        )}
        {run.isPending && (
          <StatusIndicator type="loading">Connecting; this takes up to half a minute</StatusIndicator>
        )}
        {shown ? (
          <Result validation={shown} />
        ) : (
          !run.isPending && (
            <Box color="text-body-secondary">The connector as it is now has not been validated.</Box>
          )
        )}
      </SpaceBetween>
    </Container>
  )
}

function Result({ validation: { at, succeeded, durationMs, steps } }: { validation: OutboundValidation }) {
  return (
    <SpaceBetween size="s">
      <StatusIndicator type={succeeded ? 'success' : 'error'}>
        {succeeded ? 'Every step succeeded' : 'A step failed'}, <Time at={at} />, {durationMs} ms
      </StatusIndicator>
      <Steps
        ariaLabel="Steps of the validation"
        steps={steps.map(
          ({ step, host, ip, succeeded: stepSucceeded, detail, durationMs: stepMs, tls, certificates }) => ({
            status: stepSucceeded ? 'success' : 'error',
            statusIconAriaLabel: stepSucceeded ? 'succeeded' : 'failed',
            header: [step, host, ip && `(${ip})`].filter(Boolean).join(' '),
            details: (
              <>
                <TextOfOthers text={detail} /> ({stepMs} ms)
                {step === 'Certificate' && certificates[0] && (
                  <div>
                    Names in the certificate:{' '}
                    <TextOfOthers text={certificates[0].subjectAltNames.join(', ') || 'none'} />
                  </div>
                )}
                {tls && step !== 'StartTls' && (
                  <div>
                    {tls.protocol}, {tls.cipher}
                    {tls.group && `, ${tls.group}`}
                  </div>
                )}
              </>
            ),
          }),
        )}
      />
    </SpaceBetween>
  )
}
