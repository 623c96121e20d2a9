/** Transmits mail over its route. Holds the state that outlives a batch: MTA-STS policies, revocations. */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { DeliverEnvironment } from '../../shared/contract/environment.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { JobTools } from '../../shared/lambda/sqs-handler.ts'
import { AttemptBudget, attemptLimits } from '../../shared/net/attempt-budget.ts'
import { MtaStsSource } from '../../shared/net/mta-sts/source.ts'
import type { SmtpRoute } from '../../shared/net/next-hops.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import { RevocationChecker } from '../../shared/net/revocation/checker.ts'
import { deliverThroughSes, type SesOptions } from '../../shared/net/ses-delivery.ts'
import {
  deliverOverSmtp,
  type OutboundMessage,
  type Outcomes,
  type SmtpDeliveryOptions,
} from '../../shared/net/smtp-delivery.ts'
import type { Tally } from '../../shared/tls-reports/tally.ts'
import type { Batch } from './batch.ts'
import { countCanary, countReport } from './log-delivery.ts'
import { certificateWatch, type ObservedCertificates } from './observed-certificates.ts'
import { type CanaryDependencies, outcomesOfCanary, receiveCanary } from './receive-canary.ts'
import {
  outcomesOfReport,
  type StoreReportDependencies as ReportDependencies,
  storeReport,
} from './store-report.ts'
import type { Stores } from './stores.ts'
import { sessionRecorder } from './tls-sessions.ts'

/** The state that the attempts of one batch share. */
export interface BatchContext {
  shared: Batch
  tally: Tally
  observations: ObservedCertificates
}

/** Timeout for policies and revocations that are still being fetched at the end of a batch. */
const settleTimeoutMs = 10_000

/** Received TLS reports are few and small, and show a trend, so they outlive the trace. */
const reportRetentionDays = 90

const now = (): Date => new Date()

export class Transmission {
  readonly #policies: MtaStsSource
  readonly #revocation: RevocationChecker
  readonly #smtp: Omit<SmtpDeliveryOptions, 'signal'>
  readonly #ses: Omit<SesOptions, 'signal'>
  readonly #reportDependencies: Omit<ReportDependencies, 'signal'>
  readonly #canaryDependencies: CanaryDependencies

  /** @param onSesThrottled called when Amazon SES has throttled a message */
  constructor(
    environment: DeliverEnvironment,
    stores: Stores,
    resolver: Resolver,
    logger: Logger,
    onSesThrottled: () => void = () => {},
  ) {
    const { PRIVATE_MX_NETWORKS: privateNetworks } = environment
    this.#policies = new MtaStsSource({
      store: stores.policies,
      resolver,
      privateNetworks,
      now,
      onFault: (fault) => logger.warn('MTA-STS: a policy could not be fetched or renewed', { ...fault }),
    })
    this.#revocation = new RevocationChecker({ store: stores.revocations, resolver, privateNetworks, now })
    this.#smtp = {
      ehloName: environment.MAIL_HOSTNAME,
      resolver,
      privateNetworks,
      random: Math.random,
      timeouts: environment.SMTP_TIMEOUT_SECONDS,
      mtaSts: (domain, signal) => this.#policies.policyFor(domain, signal),
      readCredentials: (name) => stores.certificates.read(name),
      stackName: environment.STACK_NAME,
      checkRevocation: (chain, signal) => this.#revocation.checkSession(chain, signal),
      chunkingFaults: chunkingFaultsOf(stores, logger),
    }
    this.#ses = {
      ses: stores.ses,
      configurationSets: {
        requireTls: environment.SES_CONFIGURATION_SET_REQUIRE_TLS,
        optionalTls: environment.SES_CONFIGURATION_SET_OPTIONAL_TLS,
      },
      onDailyQuotaUsedUp: () =>
        stores.sesLimiter
          .recordDailyQuotaUsedUp()
          .catch((error: Error) => logger.warn('The used quota of Amazon SES could not be recorded', error)),
      onThrottled: onSesThrottled,
    }
    this.#reportDependencies = {
      reports: stores.reports,
      resolver,
      now,
      retentionDays: reportRetentionDays,
    }
    this.#canaryDependencies = { canaries: stores.canaries, hostname: environment.MAIL_HOSTNAME, now }
  }

  /** Makes one attempt. Never throws because of a next hop. */
  async transmit(job: DeliveryJob, mail: OutboundMessage, tools: JobTools<BatchContext>): Promise<Outcomes> {
    const { route } = job
    const { signal } = tools.batch.shared
    switch (route.kind) {
      case 'Ses':
        return deliverThroughSes(mail, { ...this.#ses, signal })
      case 'TlsReports':
        return this.#storeReport(job, mail, tools)
      case 'Canary':
        return this.#receiveCanary(job, mail, tools)
      default:
        return this.#transmitBySmtp(route, job, mail, tools.batch)
    }
  }

  /** Waits for background fetches, because Lambda freezes the function between batches and a frozen fetch fails. */
  async settle(): Promise<void> {
    await Promise.all([
      this.#policies.waitForPending(settleTimeoutMs),
      this.#revocation.waitForPending(settleTimeoutMs),
    ])
  }

  async #storeReport(
    { message }: DeliveryJob,
    mail: OutboundMessage,
    { batch, logger, metrics }: JobTools<BatchContext>,
  ): Promise<Outcomes> {
    const { signal } = batch.shared
    const result = await storeReport(message, mail.content, { ...this.#reportDependencies, signal })
    countReport(logger, metrics, message.id, result)
    return outcomesOfReport(result, mail)
  }

  async #receiveCanary(
    { message }: DeliveryJob,
    mail: OutboundMessage,
    { logger, metrics }: JobTools<BatchContext>,
  ): Promise<Outcomes> {
    const result = await receiveCanary(message, this.#canaryDependencies)
    countCanary(logger, metrics, message.id, result)
    return outcomesOfCanary(result, mail)
  }

  async #transmitBySmtp(
    route: SmtpRoute,
    job: DeliveryJob,
    mail: OutboundMessage,
    { shared: { signal, find, sessions }, tally, observations }: BatchContext,
  ): Promise<Outcomes> {
    const { recordSession } = sessionRecorder(tally, mail, now)
    const watch = certificateWatch(observations, job, now)
    // Servers that an administrator chose may take as long as the batch has time.
    const budget =
      job.priority !== undefined
        ? new AttemptBudget(attemptLimits(job.attempt, mail.content.length))
        : undefined
    return deliverOverSmtp(route, mail, {
      ...this.#smtp,
      readCredentials: watch.credentials(this.#smtp.readCredentials),
      recordSession(session) {
        recordSession?.(session)
        watch.session(session)
      },
      signal,
      find,
      open: (hop, options, forceNew) => sessions.open(hop, options, forceNew),
      budget,
    }).finally(() => budget?.end())
  }
}

/** Never throw: mail does not depend on the table. */
function chunkingFaultsOf(
  { chunkingFaults }: Pick<Stores, 'chunkingFaults'>,
  logger: Logger,
): SmtpDeliveryOptions['chunkingFaults'] {
  const logFailure = (error: Error) =>
    logger.warn('The hosts that refuse BDAT could not be read or recorded', error)
  return {
    has: (host) =>
      chunkingFaults.has(host, now()).catch((error: Error) => {
        logFailure(error)
        return false
      }),
    add: async (host) => {
      logger.warn('The host announces CHUNKING and does not accept BDAT; it gets mail by DATA for a day', {
        host,
      })
      await chunkingFaults.add(host, now()).catch(logFailure)
    },
  }
}
