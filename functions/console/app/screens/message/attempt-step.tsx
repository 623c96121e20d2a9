/** An attempt: the next hop, its TLS session, what was required, and its reply. */
import type { StepsProps } from '@cloudscape-design/components/steps'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { type Attempt, outboundSessionText, requirementText } from './session-text.ts'

const outcomeTypes = {
  Delivered: 'success',
  TemporaryFailure: 'warning',
  PermanentFailure: 'error',
  TlsNotMet: 'error',
  InProgress: 'in-progress',
} as const

const outcomeSentences: Readonly<Record<string, string>> = {
  Delivered: 'delivered',
  TemporaryFailure: 'the next hop did not accept it for now',
  PermanentFailure: 'the next hop refused it',
  TlsNotMet: 'TLS did not satisfy the requirement, so nothing of the message was sent',
  InProgress: 'in progress',
}

export function attemptStep(attempt: Attempt): StepsProps.Step {
  const { number, at, outcome, leaseUntil } = attempt
  return {
    status: outcomeTypes[outcome],
    header: (
      <>
        Attempt {number}: {outcome}
        {at !== null && ' at '}
        {at !== null && <Time precision="Second" at={at} />}
      </>
    ),
    details:
      outcome === 'InProgress' ? (
        leaseUntil !== null && (
          <>
            Has a result at the latest at <Time precision="Second" at={leaseUntil} />
          </>
        )
      ) : (
        <AttemptDetails attempt={attempt} />
      ),
  }
}

function AttemptDetails({ attempt }: { attempt: Attempt }) {
  const { outcome, host, ip, tls, tlsResult, reply, reportOnly, durationMs } = attempt
  return (
    <>
      <div>{outcomeSentences[outcome] ?? outcome}</div>
      <div>
        {host === null ? (
          'No server was reached'
        ) : (
          <>
            <TextOfOthers text={`${host}${ip === null ? '' : ` (${ip})`}`} />: {outboundSessionText(attempt)}
          </>
        )}
      </div>
      <div>
        {requirementText(attempt)}
        {tlsResult !== null && tlsResult !== 'success' && `; result in TLS reports: ${tlsResult}`}
        {durationMs !== null && `; duration ${durationMs} ms`}
      </div>
      {tls?.notVerified && (
        <div>
          Not verified: <TextOfOthers text={tls.notVerified} />
        </div>
      )}
      {tls?.revocation && tls.revocation.status !== 'Good' && (
        <div>
          {tls.revocation.status === 'Revoked' ? 'Revoked' : 'Revocation undetermined'}:{' '}
          <TextOfOthers text={tls.revocation.detail} />
        </div>
      )}
      {tls?.fingerprint256 && (
        <div>
          Certificate SHA-256 <TextOfOthers text={tls.fingerprint256} />
        </div>
      )}
      {reply !== null && (
        <div>
          Reply: <TextOfOthers text={reply} />
        </div>
      )}
      {reportOnly !== null && (
        <div>
          Report only, requirement not met: <TextOfOthers text={reportOnly} />
        </div>
      )}
    </>
  )
}
