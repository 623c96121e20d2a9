/** Says what a change of a connector's stage does to mail, before it is made. Pure. */
import { proseList } from '../../../../../shared/policy/text-lists.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { domainsText, forcesTlsOut, isInbound, levelOut, type Stage, stageOf } from './connector-text.ts'

type Connector = InboundConnector | OutboundConnector

/** The fields that PATCH changes. */
export const stagePatch = (to: Stage): { enabled: boolean; mode?: 'Enforce' | 'ReportOnly' } =>
  to === 'Disabled' ? { enabled: false } : { enabled: true, mode: to }

export const actTexts: Readonly<Record<Stage, string>> = {
  Disabled: 'Disable',
  ReportOnly: 'Set to ReportOnly',
  Enforce: 'Enforce',
}

/** Whether a change lowers what is required of mail. */
export const isWeakening = (connector: Connector, to: Stage): boolean =>
  stageOf(connector) === 'Enforce' || (stageOf(connector) === 'ReportOnly' && to === 'Disabled')

/** Sentences on the effect on mail. Other connectors may also apply. */
export function stageEffects(connector: Connector, to: Stage): string[] {
  return isInbound(connector) ? inboundEffects(connector, to) : outboundEffects(connector, to)
}

function inboundRequirements(connector: InboundConnector): string {
  return proseList(
    [
      connector.requireTls ? 'TLS' : '',
      connector.restrictDomainsToCertificate ? 'a listed certificate' : '',
      connector.restrictDomainsToIpAddresses ? 'a listed address' : '',
      connector.requireDmarc ? 'DMARC' : '',
    ].filter(Boolean),
    4,
  )
}

function inboundEffects(connector: InboundConnector, to: Stage): string[] {
  const domains = domainsText(connector)
  const requirements = inboundRequirements(connector)
  const wasEnforced = stageOf(connector) === 'Enforce'
  if (connector.connectorType === 'OnPremises')
    return {
      Disabled: [`The servers that it identifies may no longer relay mail from ${domains}: it is refused.`],
      ReportOnly: [
        `The servers that it identifies may relay mail from ${domains}, also without TLS. Violations are only recorded.`,
      ],
      Enforce: [`The servers that it identifies may relay mail from ${domains}.`],
    }[to]
  if (requirements === '') return [`It requires nothing of mail from ${domains}, so mail is not affected.`]
  if (to === 'Enforce')
    return [
      `Mail from ${domains} without ${requirements} is ${connector.onViolation === 'Defer' ? 'held' : 'refused'}.`,
    ]
  if (!wasEnforced) return ['It is not enforced now, so mail is not affected.']
  const released = `Mail from ${domains} no longer needs ${requirements}: it is accepted in the clear, too. Another connector may still require it.`
  return to === 'ReportOnly' ? [released, 'Violations are recorded.'] : [released]
}

function outboundEffects(connector: OutboundConnector, to: Stage): string[] {
  const domains = domainsText(connector)
  const level = levelOut(connector)
  const stage = stageOf(connector)
  const forced = forcesTlsOut(connector)
  if (to === 'Disabled')
    return [
      `Mail to ${domains} no longer takes the route of this connector.`,
      ...(connector.allAcceptedDomains
        ? ['Without another connector it is deferred, and bounces after 24 hours.']
        : forced && stage === 'Enforce'
          ? [
              `It may be sent in the clear: ${level} is no longer required, unless another connector requires it.`,
            ]
          : []),
    ]
  const route = stage === 'Disabled' ? [`Mail to ${domains} takes the route of this connector.`] : []
  if (!forced) return route.length > 0 ? route : ['It forces no TLS, so mail is not affected.']
  if (to === 'Enforce')
    return [
      ...route,
      `Where a server does not meet ${level}, mail to ${domains} ${connector.onTlsFailure === 'Bounce' ? 'bounces' : 'is deferred, not sent'}.`,
    ]
  return [
    ...route,
    `Mail to ${domains} may be sent in the clear: ${level} is no longer required, only recorded.`,
  ]
}
