/** The response of `GET /health`: the alarms of the stack, and what they mean together. */
import * as z from 'zod'

/** CloudWatch's states of an alarm, the most urgent first. */
export const alarmStates = ['ALARM', 'INSUFFICIENT_DATA', 'OK'] as const
export type AlarmState = (typeof alarmStates)[number]

export const HealthAlarm = z.strictObject({
  title: z.string(),
  impact: z.string().describe('the effect on mail, in one sentence'),
  state: z.enum(alarmStates).describe("CloudWatch's state"),
  since: z.iso.datetime().describe('when the alarm got its state'),
  runbook: z.string().describe('page and heading with what to do'),
})
export type HealthAlarm = z.output<typeof HealthAlarm>

export const Health = z.strictObject({
  status: z
    .enum(['Good', 'Alarms', 'Unknown'])
    .describe(
      'Alarms: an alarm rings; Good: every alarm is OK; Unknown: otherwise, also if CloudWatch does not answer',
    ),
  summary: z.string().describe('the status in one line, with the reason'),
  softwareVersion: z.string().describe('version of mailflow'),
  alarms: z
    .array(HealthAlarm)
    .describe(
      'alarms that ring are first, then those without enough data; of one state, the longest is first',
    ),
})
export type Health = z.output<typeof Health>
