/**
 * Finds configured or proven destinations whose last attempt failed slowly. The problem: several partners hang at the
 * same time, and no limit per destination keeps them from occupying every worker. The defence: all such mail together
 * has as many slots as one destination, and each message also needs a slot of its own destination. Not covered: the
 * first attempt, and the attempt after a job gave up its wait for a slot, because nothing shows that such an attempt
 * will be slow. The cost: after an outage, mail to a partner may also wait for a slot of the slow hosts once.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { isSlowFailure } from '../../shared/policy/slow-failure.ts'

/** The destination under which slow hosts share slots. It cannot be the name of a domain or a smart host. */
export const slowHostsDestination = 'slow hosts'

/** Mail of other priorities has workers of its own. */
export const needsSlowHostSlot = ({
  priority = 'Normal',
  recipients,
}: Pick<DeliveryJob, 'priority' | 'recipients'>) =>
  priority === 'Normal' && recipients.some(({ lastAttempt }) => isSlowFailure(lastAttempt))
