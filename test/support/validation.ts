/** Validates connectors whose smart hosts are partners in this process. */
import { type Options, validate } from '../../functions/validate-connector/validate.ts'
import type { OutboundConnector } from '../../shared/connectors/schema.ts'
import { OutboundValidation } from '../../shared/connectors/validation.ts'
import { noMtaSts } from '../../shared/policy/hop-facts.ts'
import { fakeResolver } from './dns.ts'
import { outbound } from './fixtures.ts'
import type { Partner } from './smtp-partner.ts'

export const smartHost = 'mx.partner.example'
export const at = new Date('2026-02-03T12:00:00.000Z')
export const testMessage = {
  from: 'mailflow-validation@ours.example',
  recipients: ['postmaster@northwind.example'],
  hostname: 'mail.ours.example',
  at,
}

/** Timeouts short enough for tests with silent servers. Servers that reply stay within them. */
export const shortTimeouts = { connect: 1_000, greeting: 1_000, command: 1_000, data: 1_000 }
export const longTimeouts = { connect: 10_000, greeting: 10_000, command: 10_000, data: 10_000 }

export function options(
  changes: { smtp?: Partial<Options['smtp']>; limits?: Partial<Options['limits']> } = {},
): Options {
  return {
    smtp: {
      ehloName: 'mail.ours.example',
      resolver: fakeResolver({ a: { [smartHost]: ['127.0.0.1'], 'other.partner.example': ['127.0.0.1'] } }),
      privateNetworks: [],
      random: () => 0,
      timeouts: longTimeouts,
      mtaSts: async () => noMtaSts,
      readCredentials: async () => {
        throw new Error('no secret')
      },
      checkRevocation: async () => ({ status: 'Good', detail: 'not revoked' }),
      ipv6: false,
      ...changes.smtp,
    },
    ses: { ses: undefined as never, configurationSets: { requireTls: 'required', optionalTls: 'optional' } },
    limits: { resolveMs: 5_000, probeMs: 10_000, totalMs: 15_000, ...changes.limits },
  }
}

export const toPartners = (
  partners: readonly Pick<Partner, 'port'>[],
  fields: Partial<OutboundConnector> = {},
) =>
  outbound({
    route: 'SmartHosts',
    smartHosts: partners.map(({ port }) => ({ host: smartHost, port })),
    ...fields,
  })

/** @returns the validation as the API describes it */
export async function runValidation(
  connector: OutboundConnector,
  changes: Parameters<typeof options>[0] = {},
  mail = testMessage,
): Promise<OutboundValidation> {
  return OutboundValidation.parse(await validate(connector, mail, options(changes)))
}

/** Lists the steps, each as `Connect` or, if it failed, as `!Connect`. */
export const listSteps = ({ steps }: OutboundValidation): string =>
  steps.map(({ step, succeeded }) => (succeeded ? step : `!${step}`)).join(' ')

export const detailOf = ({ steps }: OutboundValidation, stepKind: string): string | undefined =>
  steps.find(({ step }) => step === stepKind)?.detail
