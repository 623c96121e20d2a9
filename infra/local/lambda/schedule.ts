/** Runs the template's scheduled EventBridge rules, in UTC. */
import type { ScheduledEvent } from 'aws-lambda'
import * as z from 'zod'

import { firstErrorLine, StartError } from '../start-error.ts'
import { accountId, parse, type Resolver, region, resourcesOfType, type Template } from '../template.ts'

export interface Schedule {
  readonly logicalId: string
  readonly functionArn: string
  /** The hours of a day at which the function runs. */
  readonly hours: readonly number[]
  /** The minutes of an hour. */
  readonly minutes: readonly number[]
}

const RuleProperties = z.object({
  ScheduleExpression: z.string(),
  State: z.literal('ENABLED').default('ENABLED'),
  Targets: z.tuple([z.object({ Arn: z.string() })]),
})

/** The supported expressions: one minute or every minute, in listed hours or in every hour, every day. */
const daily = /^cron\((\*|\d{1,2}) (\*|\d{1,2}(?:,\d{1,2})*) \* \* \? \*\)$/
const everyHour = Array.from({ length: 24 }, (_, hour) => hour).join(',')
const everyMinute = Array.from({ length: 60 }, (_, minute) => minute)

/** @throws StartError for a rule that the runner does not support */
export function readSchedules(template: Template, resolver: Resolver): Schedule[] {
  return resourcesOfType(template, 'AWS::Events::Rule').map(([logicalId, raw]) => {
    const rule = parse(RuleProperties, resolver.resolve(raw), logicalId)
    const [, minute, hours] = daily.exec(rule.ScheduleExpression) ?? []
    if (minute === undefined || hours === undefined)
      throw new StartError(
        `template: ${logicalId}: ${rule.ScheduleExpression} is not implemented by the local runner`,
      )
    return {
      logicalId,
      functionArn: rule.Targets[0].Arn,
      hours: (hours === '*' ? everyHour : hours)
        .split(',')
        .map(Number)
        .sort((a, b) => a - b),
      minutes: minute === '*' ? everyMinute : [Number(minute)],
    }
  })
}

/** Returns the first time of the schedule after `after`. */
export function nextTime({ hours, minutes }: Pick<Schedule, 'hours' | 'minutes'>, after: Date): Date {
  const timesOfDay = (day: number) =>
    hours.flatMap((hour) =>
      minutes.map((minute) =>
        Date.UTC(after.getUTCFullYear(), after.getUTCMonth(), after.getUTCDate() + day, hour, minute),
      ),
    )
  const next = [...timesOfDay(0), ...timesOfDay(1)].find((time) => time > after.getTime())
  if (next === undefined) throw new Error('a schedule without hours has no next time')
  return new Date(next)
}

/** @returns a function that stops the schedule */
export function startSchedule(
  schedule: Schedule,
  invoke: (functionArn: string, event: unknown) => Promise<unknown>,
  onError: (message: string) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined
  // A timer may fire slightly early. The function must not run twice for the same time, so the search begins after
  // `last`.
  const wait = (last: Date) => {
    const nextAt = nextTime(schedule, new Date(Math.max(last.getTime(), Date.now())))
    timer = setTimeout(() => {
      invoke(schedule.functionArn, eventAt(schedule, nextAt)).catch((error: unknown) =>
        onError(firstErrorLine(error)),
      )
      wait(nextAt)
    }, nextAt.getTime() - Date.now())
    timer.unref()
  }
  wait(new Date())
  return () => clearTimeout(timer)
}

function eventAt({ logicalId }: Schedule, at: Date): ScheduledEvent {
  return {
    version: '0',
    id: `${logicalId}-${at.getTime()}`,
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: accountId,
    time: at.toISOString(),
    region,
    resources: [`arn:aws:events:${region}:${accountId}:rule/${logicalId}`],
    detail: {},
  }
}
