/** Builds the events of a delivery job. Pure. */
import type { MailEvent } from '../../shared/contract/events.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { isCanary } from '../../shared/contract/message.ts'
import { attemptEvents } from '../../shared/events/mail-events.ts'
import { attemptContext, type Delivery } from './deliver-job.ts'

/**
 * Returns the events of the deliveries that are not reported to evaluate-policy, made now or earlier: the worker of an
 * earlier one may have died before it sent them. evaluate-policy writes the events of reported attempts. So a report,
 * which SQS stores, is also the record of the event.
 */
export const deliveredEvents = (
  job: DeliveryJob,
  { unreported }: Pick<Delivery, 'unreported'>,
): MailEvent[] =>
  unreported
    .filter(({ recipient }) => !isCanary(job.message, recipient))
    .flatMap(({ recipient, attempt }) =>
      attemptEvents(job.message, recipient.address, attempt, attemptContext(job)),
    )
