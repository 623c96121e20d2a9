/** The three kinds of things that an administrator configures, each with its place in the file and in the API. */
import type { z } from 'zod'
import {
  AcceptedDomainInput,
  InboundConnectorInput,
  OutboundConnectorInput,
} from '../../shared/connectors/schema.ts'

export type KindName = 'acceptedDomains' | 'inboundConnectors' | 'outboundConnectors'

export interface Kind {
  /** The section of the file. */
  readonly name: KindName
  /** One of them, in words. */
  readonly one: string
  readonly path: string
  /** What the API takes. */
  readonly input: z.ZodObject
}

export const acceptedDomains: Kind = {
  name: 'acceptedDomains',
  one: 'accepted domain',
  path: '/accepted-domains',
  input: AcceptedDomainInput,
}
export const inboundConnectors: Kind = {
  name: 'inboundConnectors',
  one: 'inbound connector',
  path: '/inbound-connectors',
  input: InboundConnectorInput,
}
export const outboundConnectors: Kind = {
  name: 'outboundConnectors',
  one: 'outbound connector',
  path: '/outbound-connectors',
  input: OutboundConnectorInput,
}

export const directions = [inboundConnectors, outboundConnectors] as const
/** In the order in which they are written: where mail may go before what is demanded of it. */
export const kinds = [acceptedDomains, ...directions] as const

/** What the API takes for one of them, checked, every default filled in. */
export type Fields = Readonly<Record<string, unknown>>

/** One of a kind as somebody wants it. */
export interface Wanted {
  /** What makes two the same one: a connector's name in comparable form, a domain. */
  readonly key: string
  /** The name as it was written. */
  readonly label: string
  readonly fields: Fields
}

/** What a file says. A kind that it does not speak of is null: that is not the same as none. */
export type Configuration = Readonly<Record<KindName, readonly Wanted[] | null>>

/** Everything the API's fields are at their defaults. */
export const defaultsOf = ({ input }: Kind): Fields =>
  Object.fromEntries(
    Object.entries(input.shape).flatMap(([name, field]) => {
      const parsed = field.safeParse(undefined)
      return parsed.success ? [[name, parsed.data]] : []
    }),
  )
