/** What happened to a recipient: connectors, decision, requests, attempts and DSNs. */
import type { StepsProps } from '@cloudscape-design/components/steps'
import { ConnectorLink } from '../../components/connector-link.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { attemptStep } from './attempt-step.tsx'
import { hasEffect, outcomeTexts } from './connector-outcomes.ts'
import { stateTypes } from './message-acts.ts'
import { keptRequirementText, loweredText, type Recipient, type Verdict } from './session-text.ts'

type Step = StepsProps.Step

export function recipientSteps(recipient: Recipient): Step[] {
  const { verdict, requirement, attempts, attemptsOmitted, notifications } = recipient
  return [
    ...holdSteps(recipient),
    ...(verdict === null
      ? [{ status: 'in-progress' as const, header: 'Not decided yet' }]
      : [consideredStep(verdict), decisionStep(verdict)]),
    ...(requirement === null ? [] : [requirementStep(requirement, verdict?.lowered ?? [])]),
    ...requestSteps(recipient),
    ...(attemptsOmitted === 0
      ? []
      : [{ status: 'info' as const, header: `Earlier attempts that are not shown: ${attemptsOmitted}` }]),
    ...attempts.map(attemptStep),
    ...notifications.map(notificationStep),
  ]
}

/** If the recipient is still held, the decision has the same reason, and the hold is not shown twice. */
function holdSteps({ firstHeld, verdict }: Recipient): Step[] {
  if (firstHeld === null || firstHeld.reason === verdict?.reason) return []
  return [
    {
      status: 'stopped',
      header: (
        <>
          First held ({firstHeld.reason}) at <Time precision="Second" at={firstHeld.at} />
        </>
      ),
      details: <TextOfOthers text={firstHeld.explanation} />,
    },
  ]
}

function consideredStep({ considered }: Verdict): Step {
  if (considered.length === 0) return { status: 'info', header: 'No connector was considered' }
  return {
    status: considered.some(({ outcome }) => hasEffect(outcome)) ? 'success' : 'info',
    header: 'Connectors considered, in order of precedence',
    details: (
      <ol>
        {considered.map(({ direction, connector, name, connectorType, pattern, outcome, why }) => (
          <li key={`${direction} ${connector}`}>
            <ConnectorLink id={connector} name={name} /> ({direction}, {connectorType}
            {pattern === null ? '' : `, ${pattern}`}): <b>{outcomeTexts[outcome] ?? outcome}</b>
            <div>
              <TextOfOthers text={why} />
            </div>
          </li>
        ))}
      </ol>
    ),
  }
}

const actionTypes = { Deliver: 'success', Defer: 'pending', Bounce: 'error' } as const

function decisionStep({
  action,
  reason,
  explanation,
  reply,
  reportOnly,
  at,
  connectorsVersion,
}: Verdict): Step {
  return {
    status: actionTypes[action],
    header: (
      <>
        Last decision: {action} ({reason}){at !== null && ' at '}
        {at !== null && <Time precision="Second" at={at} />}
      </>
    ),
    details: (
      <>
        <div>
          <TextOfOthers text={explanation} />
        </div>
        {reply !== null && (
          <div>
            {action === 'Bounce' ? 'Reply in the DSN' : 'Reply'}: <TextOfOthers text={reply} />
          </div>
        )}
        {reportOnly !== null && (
          <div>
            Report only, requirement not met: <TextOfOthers text={reportOnly} />
          </div>
        )}
        {connectorsVersion !== null && <div>Version of the connectors: {connectorsVersion}</div>}
      </>
    ),
  }
}

function requirementStep(
  requirement: NonNullable<Recipient['requirement']>,
  lowered: readonly string[],
): Step {
  const { connector, since } = requirement
  return {
    status: 'info',
    header: (
      <>
        Keeps the requirement of connector <ConnectorLink {...connector} /> from{' '}
        <Time precision="Second" at={since} />
      </>
    ),
    details: (
      <>
        <div>{keptRequirementText(requirement)}</div>
        {loweredText(lowered)}
      </>
    ),
  }
}

const requestSteps = ({ released, returned, dropped }: Recipient): Step[] =>
  Object.entries({ Released: released, Returned: returned, Dropped: dropped }).flatMap(([label, request]) =>
    request === null
      ? []
      : [
          {
            status: 'info' as const,
            header: (
              <>
                {label} by <TextOfOthers text={request.by} /> at <Time precision="Second" at={request.at} />
              </>
            ),
            details: request.reason !== null && <TextOfOthers text={request.reason} />,
          },
        ],
  )

const kindTexts: Readonly<Record<string, string>> = {
  failed: 'Failure',
  delayed: 'Delay',
  relayed: 'Relay',
  delivered: 'Delivery',
}

const notificationStep = ({ kind, message, state }: Recipient['notifications'][number]): Step => ({
  status: stateTypes[state ?? 'Pending'],
  header: `${kindTexts[kind] ?? kind} DSN to the sender: ${state ?? 'not created yet'}`,
  details: message !== null && <ViewLink to={`/messages/${message}`}>Trace of the DSN</ViewLink>,
})
