/**
 * Validates an outbound connector with the steps of a delivery: it resolves names, opens a session with every next hop,
 * and sends a test message through the first that passes. A step that times out has failed.
 */
import type { OutboundConnector } from '../../shared/connectors/schema.ts'
import {
  type OutboundValidation,
  toStorable,
  type ValidationStep,
} from '../../shared/connectors/validation.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { NextHop, SmtpRoute } from '../../shared/net/next-hops.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import { deliverThroughSes, type SesOptions } from '../../shared/net/ses-delivery.ts'
import {
  type AttemptPlan,
  deliverToHops,
  type OutboundMessage,
  planAttempt,
  type SmtpDeliveryOptions,
  sessionOptionsFor,
  withoutMtaStsForSmartHosts,
} from '../../shared/net/smtp-delivery.ts'
import { requirementOf, routeOf } from '../../shared/policy/outbound.ts'
import { decideHop } from '../../shared/policy/transport-security.ts'
import { type Probe, probe } from './probe.ts'
import { type ResolvedTarget, type ResolveOptions, resolveTargets } from './resolve.ts'
import { stepOf } from './steps.ts'
import { composeTestMessage, notSentStep, sendTestMessage, type TestMessage } from './test-message.ts'

/** Milliseconds from the start: for the name resolution, for all probes, for the whole validation. */
export interface Limits {
  resolveMs: number
  probeMs: number
  totalMs: number
}

export interface Options {
  smtp: Omit<SmtpDeliveryOptions, 'signal'> & Pick<ResolveOptions, 'ipv6'> & { resolver: Resolver }
  ses: Omit<SesOptions, 'signal'>
  limits: Limits
}

/** Never throws for failures of the network or of servers. */
export async function validate(
  connector: OutboundConnector,
  testMessage: TestMessage,
  options: Options,
): Promise<OutboundValidation> {
  const startedAt = performance.now()
  // The validation enforces the requirement in every mode.
  const requirement = { ...requirementOf(connector), mode: 'Enforce' as const }
  const mail = await composeTestMessage(connector, requirement, testMessage)
  const route = routeOf(connector, domainOf(testMessage.recipients[0] ?? '') ?? '')
  const steps =
    route.kind === 'Mx' || route.kind === 'SmartHosts'
      ? await validateOverSmtp(route, mail, options)
      : await validateThroughSes(mail, options)
  return toStorable({
    at: testMessage.at.toISOString(),
    succeeded: steps.every(({ succeeded }) => succeeded),
    connectorVersion: connector.version,
    durationMs: Math.round(performance.now() - startedAt),
    steps,
  })
}

async function validateThroughSes(
  mail: OutboundMessage,
  { ses, limits }: Options,
): Promise<ValidationStep[]> {
  const detail = 'Amazon SES resolves and connects later, so neither host nor TLS session is known'
  const signal = AbortSignal.timeout(limits.totalMs)
  return [
    stepOf({ step: 'Resolve', host: 'Amazon SES', succeeded: true, detail }),
    await sendTestMessage(mail, (message) => deliverThroughSes(message, { ...ses, signal })),
  ]
}

async function validateOverSmtp(
  route: SmtpRoute,
  mail: OutboundMessage,
  { smtp: smtpOptions, limits }: Options,
): Promise<ValidationStep[]> {
  const smtp = withoutMtaStsForSmartHosts(route, smtpOptions)
  const [resolveSignal, probeSignal, wholeSignal] = [limits.resolveMs, limits.probeMs, limits.totalMs].map(
    (ms) => AbortSignal.timeout(ms),
  ) as [AbortSignal, AbortSignal, AbortSignal]
  const plan = await planAttempt(mail, { ...smtp, signal: resolveSignal })
  if ('kind' in plan) return [stepOf({ step: 'Resolve', succeeded: false, detail: formatReply(plan.reply) })]
  const targets = await resolveTargets(route, {
    ...smtp,
    dane: plan.publishedPolicies.dane,
    signal: resolveSignal,
  })
  const probedTargets = await Promise.all(
    targets.map(async ({ step, hops }: ResolvedTarget) => {
      const probes = await Promise.all(
        hops.map((hop) => probeHop(hop, mail, plan, { ...smtp, signal: probeSignal })),
      )
      return { step, probes }
    }),
  )
  const hop = probedTargets.flatMap(({ probes }) => probes).find(({ passed }) => passed)?.hop
  return [
    ...probedTargets.flatMap(({ step, probes }) => [step, ...probes.flatMap(({ steps }) => steps)]),
    hop
      ? await sendTestMessage(mail, (message) =>
          deliverToHops([hop], message, { ...smtp, signal: wholeSignal }),
        )
      : notSentStep('Not sent, because no host passed'),
  ]
}

async function probeHop(
  hop: NextHop,
  mail: OutboundMessage,
  plan: AttemptPlan,
  options: SmtpDeliveryOptions,
): Promise<Probe> {
  const decision = decideHop(mail.tls, plan.senderRequest, { ...hop, domain: plan.domain }, plan.mtaSts)
  if (decision.kind === 'Try') return probe(hop, sessionOptionsFor(hop, decision, plan, options))
  const detail = formatReply(decision.fault.reply)
  const step = stepOf({ step: 'Resolve', host: hop.host, ip: hop.ip, succeeded: false, detail })
  return { hop, steps: [step], passed: false }
}
