/**
 * The conformance of an accepted domain as the API returns it, and the route. One Lambda function serves the route, and
 * another documents it.
 */
import * as z from 'zod'
import { Level, Standard, Verdict } from './criterion.ts'

export const ConformanceCriterion = z.strictObject({
  id: z.string(),
  subject: z
    .enum(['Host', 'Certificate', 'Domain', 'Deliveries'])
    .describe(
      "Host: the MX host's TLS; Domain: what DNS publishes; Deliveries: the TLS of mailflow as a client",
    ),
  host: z.string().nullable().describe('the MX host; null for the subjects Domain and Deliveries'),
  requirement: z.string(),
  references: z.array(z.strictObject({ standard: Standard, clause: z.string(), level: Level })),
  verdict: Verdict.describe(
    'FAIL: a must is not met; WARN: a should or optional criterion is not met; CUSTOMER: the organisation decides, or must check it',
  ),
  seen: z.string().describe('what was found, or why nothing was'),
  advice: z
    .string()
    .nullable()
    .describe('what to do, or why this version does not meet it; null: nothing to do'),
  source: z
    .enum(['Handshakes', 'Dns', 'Recorded', 'None'])
    .describe('Handshakes: with the host, at its measuredAt; Recorded: measured when this version was made'),
})
export type ConformanceCriterion = z.output<typeof ConformanceCriterion>

export const ConformanceHost = z.strictObject({
  host: z.string(),
  isGateway: z.boolean(),
  port: z.int(),
  state: z
    .enum(['Measured', 'Partly', 'NotMeasured'])
    .describe('Partly: the time was over before every fact was measured'),
  detail: z.string().nullable().describe('why it was not measured, or not wholly'),
  measuredAt: z.iso.datetime().describe('at most a minute before checkedAt'),
})
export type ConformanceHost = z.output<typeof ConformanceHost>

export const DomainConformance = z.strictObject({
  domain: z.string(),
  checkedAt: z.iso.datetime(),
  softwareVersion: z.string(),
  hosts: z.array(ConformanceHost).describe("the domain's MX hosts"),
  detail: z.string().nullable().describe('why there is no MX host; null: there is one'),
  criteria: z.array(ConformanceCriterion),
})
export type DomainConformance = z.output<typeof DomainConformance>

export const readDomainConformance = {
  method: 'GET',
  path: '/accepted-domains/{domain}/conformance',
  role: 'read',
  summary:
    "Compare an accepted domain's MX hosts and DNS records with published standards; takes up to 25 seconds, and about 30 connections to each host",
  answers: { 200: DomainConformance },
  problems: [404],
} as const
