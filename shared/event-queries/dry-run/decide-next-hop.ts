/** Decides about the attempt of past mail: what the server of its last attempt would do under a verdict. Pure. */
import { maxRouteLength, routeText } from '../../contract/jobs.ts'
import type { Attempt } from '../../contract/message.ts'
import type { TlsResult } from '../../contract/tls-result.ts'
import { reply } from '../../mail/reply.ts'
import { type Deliver, evaluate } from '../../policy/evaluate.ts'
import type { SenderRequest } from '../../policy/hop-facts.ts'
import { requiredLevel } from '../../policy/mandatory-policies.ts'
import { decideHop, usesPublishedPolicies } from '../../policy/transport-security.ts'
import { forcesTls, type HopRequirement } from '../../tls/requirement.ts'
import type { ArrivalDecision, DryRunInput } from './decide-arrival.ts'
import type { Determined, Open } from './dry-run-result.ts'
import type { AttemptColumns } from './mail-facts.ts'
import { assessPastServer, pastTlsOf } from './past-server.ts'
import { type PossibleHop, possibleHops } from './possible-policies.ts'

type Delivery = Extract<ArrivalDecision, { kind: 'Deliver' }>

export function decideNextHop(input: DryRunInput, delivery: Delivery): Determined | Open {
  const { attempt } = input.facts
  const { route, tls } = delivery.verdict
  const level = requiredLevel(tls)
  if (route.kind === 'TlsReports') return resultOf(delivery, 'Delivered', level)
  if (attempt === null) return resultOf(delivery, 'Sent', level)
  const text = routeText(route)
  if (!isSameNextHop(text, attempt))
    return undetermined(delivery, `The events hold no session with the next hop ${hopText(delivery)}.`)
  if (!hasSameCredentials(delivery.verdict, attempt))
    return undetermined(
      delivery,
      'The events do not hold what the next hop does with another client certificate.',
    )
  const { host } = attempt
  if (route.kind === 'Ses' || host === undefined) return pastOutcome(input, delivery, attempt, level)
  return decideAtHost(input, delivery, { ...attempt, host })
}

const hopText = ({ verdict: { route, destination } }: Delivery): string =>
  route.kind === 'Mx' ? `that MX lookup finds for ${destination}` : routeText(route)

/** Whether the route leads to the server of the attempt. */
function isSameNextHop(text: string, { route, host }: AttemptColumns): boolean {
  if (route === undefined || route.length >= maxRouteLength) return false
  if (text === route) return true
  const pastHosts = route.split(' ')
  const [only, ...others] = pastHosts.filter((each) => each.slice(0, each.lastIndexOf(':')) === host)
  return only === text && others.length === 0
}

const hasSameCredentials = ({ route, tls }: Deliver, { clientCertificateSecret }: AttemptColumns): boolean =>
  route.kind === 'Ses' || (tls.clientCertificate ?? undefined) === clientCertificateSecret

type AttemptAtHost = AttemptColumns & { host: string }

function decideAtHost(input: DryRunInput, delivery: Delivery, attempt: AttemptAtHost): Determined | Open {
  const { facts, assume } = input
  const { tls, destination } = delivery.verdict
  const request: SenderRequest = {
    requireTls: facts.arrival.requireTls === true,
    tlsRequiredNo: attempt.tlsRequiredNo === true,
    isNotification: facts.sender === '',
  }
  const possible = possibleHops(attempt, destination, request)
  const { hop, mtaSts, wasRefused, usedTlsa } = possibleHop(
    possible,
    needsPolicies(delivery.verdict, request),
    assume,
    destination,
  )
  const decision = decideHop(tls, request, hop, mtaSts)
  const { enforced } = decision
  if (decision.kind === 'Refuse') return notUsed(input, delivery, attempt, enforced, decision)
  const session = wasRefused ? null : pastTlsOf(attempt, assume)
  if (session === null)
    return wasRefused
      ? withoutSession(delivery, enforced)
      : pastOutcome(input, delivery, attempt, enforced.level)
  const result = assessPastServer(enforced, { ...attempt, usedTlsa }, session, assume)
  if (result === 'Unassessable') return withoutSession(delivery, enforced)
  if (result !== null)
    return notUsed(input, delivery, attempt, enforced, { outcome: 'TlsNotMet', fault: { result } })
  return attempt.decision === 'TlsNotMet'
    ? resultOf(delivery, 'Sent', enforced.level)
    : pastOutcome(input, delivery, attempt, enforced.level)
}

/** Whether the decision about the host depends on what the domain publishes. */
function needsPolicies({ tls }: Deliver, request: SenderRequest): boolean {
  const { dane, mtaSts } = usesPublishedPolicies(tls, request)
  return dane || mtaSts
}

/** Whether the past attempt opened a session always matters, what is published only sometimes. */
function possibleHop(
  possible: readonly PossibleHop[],
  usesPolicies: boolean,
  assume: DryRunInput['assume'],
  domain: string,
): PossibleHop {
  const distinct = [...new Map(possible.map((each) => [each.wasRefused, each])).values()]
  return usesPolicies
    ? assume({
        key: 'published policies',
        sentence:
          possible[0]?.hop.foundBy === 'SmartHost'
            ? `The events do not hold whether ${possible[0].hop.host} has TLSA records.`
            : `The events do not hold what ${domain} publishes for DANE and MTA-STS.`,
        values: possible,
      })
    : assume({
        key: 'refused by a policy',
        sentence: 'The events do not hold whether a session with the next hop was opened.',
        values: distinct,
      })
}

/** With forced TLS, a session would show whether it is met. */
function withoutSession(delivery: Delivery, enforced: HopRequirement): Determined | Open {
  return forcesTls(enforced)
    ? undetermined(delivery, 'The events hold no TLS session with the next hop.')
    : resultOf(delivery, 'Sent', enforced.level)
}

/** The message is not sent to this host. */
function notUsed(
  input: DryRunInput,
  delivery: Delivery,
  { nextHops = 1, host }: AttemptAtHost,
  { level }: HopRequirement,
  { outcome, fault }: { outcome: Exclude<Attempt['outcome'], 'Delivered'>; fault: { result: TlsResult } },
): Determined | Open {
  if (nextHops > 1)
    return undetermined(
      delivery,
      `The events hold a session with one of the ${nextHops} next hops only, and another may meet the requirement.`,
    )
  const result = failedResult(input, delivery, outcome, level, host)
  return outcome === 'TlsNotMet' && fault.result !== 'success'
    ? { ...result, tlsResult: fault.result }
    : result
}

/** The server does what it did. */
function pastOutcome(
  input: DryRunInput,
  delivery: Delivery,
  { kind, decision, host, tlsResult }: AttemptColumns,
  level: Determined['level'],
): Determined {
  if (kind === 'Delivered') return resultOf(delivery, 'Delivered', level)
  const outcome = decision === 'PermanentFailure' || decision === 'TlsNotMet' ? decision : 'TemporaryFailure'
  const result = failedResult(input, delivery, outcome, level, host ?? null)
  return outcome === 'TlsNotMet' && tlsResult ? { ...result, tlsResult } : result
}

/** Decides again after a failed attempt. */
function failedResult(
  { settings, facts }: DryRunInput,
  delivery: Delivery,
  outcome: Exclude<Attempt['outcome'], 'Delivered'>,
  level: Determined['level'],
  host: string | null,
): Determined {
  const { recipient } = delivery.verdict
  const attempt: Attempt = {
    ...{ number: 1, at: facts.at, durationMs: 0, host, ip: null, tls: null, outcome },
    ...{ policy: level ?? 'Opportunistic', policySource: null, reportOnlyLevel: null, tlsResult: null },
    reportOnly: null,
    reply: outcome === 'PermanentFailure' ? reply(550, '5.0.0', '') : reply(451, '4.0.0', ''),
  }
  const [verdict] = evaluate({
    snapshot: delivery.snapshot,
    settings,
    message: delivery.message,
    recipients: [{ ...recipient, attempts: 1, lastAttempt: attempt }],
    now: new Date(facts.at),
  })
  const isBounced = verdict?.action === 'Bounce'
  return {
    ...resultOf(delivery, isBounced ? 'Bounced' : 'Deferred', level),
    reason: verdict?.reason ?? '',
    connector: verdict?.connectors.outbound ?? null,
  }
}

const resultOf = (
  { verdict }: Delivery,
  outcome: Determined['outcome'],
  level: Determined['level'],
): Determined => ({ outcome, reason: verdict.reason, connector: verdict.connectors.outbound, level })

/** Mail with the same requirement has the same outcome. */
function undetermined({ verdict, snapshot }: Delivery, missing: string): Open {
  const { route, tls, connectors } = verdict
  const connector = connectors.outbound === null ? undefined : snapshot.all.outbound.get(connectors.outbound)
  const key = JSON.stringify([connectors.outbound, verdict.reason, route, tls, connector?.onTlsFailure])
  return { outcome: 'Undetermined', missing, key }
}
