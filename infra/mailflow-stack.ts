import { CfnOutput, PermissionsBoundary, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { RotateCertificate } from './certificates/rotate-certificate.ts'
import { TlsCertificate } from './certificates/tls-certificate.ts'
import { WatchExpiry } from './certificates/watch-expiry.ts'
import { type Config, deletionProtectionAdvice } from './config.ts'
import { ConnectorApi } from './connectors/connector-api.ts'
import { Console } from './console/console.ts'
import { BounceMessage } from './delivery/bounce-message.ts'
import { CheckRecipient } from './delivery/check-recipient.ts'
import { DeliverMessage } from './delivery/deliver-message.ts'
import { OutboundMail } from './delivery/outbound-mail.ts'
import { ValidateConnector } from './delivery/validate-connector.ts'
import { AddressHashKey } from './events/address-hash-key.ts'
import { EraseAddress } from './events/erase-address.ts'
import { EventApi } from './events/event-api.ts'
import { EventSearch } from './events/event-search.ts'
import { RecordEvents } from './events/record-events.ts'
import { SealHour } from './events/seal-hour.ts'
import { SmtpIngress } from './ingress/smtp-ingress.ts'
import { MailMetrics } from './mail-metrics.ts'
import { MailNetwork } from './mail-network.ts'

import { Monitoring } from './monitoring/monitoring.ts'
import { SendCanary } from './monitoring/send-canary.ts'
import { NoticesTopic } from './notices-topic.ts'
import { PublicPages } from './pages/public-pages.ts'
import { AuthenticateMessage } from './policy/authenticate-message.ts'
import { EvaluatePolicy } from './policy/evaluate-policy.ts'
import { MailQueues } from './queues/mail-queues.ts'
import { ReportTls } from './reports/report-tls.ts'
import { SendSummary } from './reports/send-summary.ts'
import { ConnectorsTable } from './storage/connectors-table.ts'
import { ContentBucket } from './storage/content-bucket.ts'
import { EventsBucket } from './storage/events-bucket.ts'
import { MessagesTable } from './storage/messages-table.ts'
import { TransportTable } from './storage/transport-table.ts'

/** The gateway: its parts, and their permissions. */
export class MailflowStack extends Stack {
  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id, {
      description: 'mailflow: a mail gateway that enforces TLS with partners',
      tags: config.tags,
      ...(config.permissionsBoundary !== undefined && {
        permissionsBoundary: PermissionsBoundary.fromArn(config.permissionsBoundary),
      }),
    })

    const network = new MailNetwork(this, 'Network', config)
    const queues = new MailQueues(this, 'Queues', config)
    const content = new ContentBucket(this, 'Content', config)
    const messages = new MessagesTable(this, 'Messages', config)
    const connectors = new ConnectorsTable(this, 'Connectors', config)
    const transport = new TransportTable(this, 'Transport', config)
    const events = new EventsBucket(this, 'EventsBucket', config)
    const hashKey = new AddressHashKey(this, 'AddressHashKey', config)
    const certificate = new TlsCertificate(this, 'Certificate', config)
    const notices = new NoticesTopic(this, 'Notices', config)

    const ingress = new SmtpIngress(this, 'Ingress', {
      config,
      network,
      certificate,
      connectors,
      content,
      queues,
      transport,
    })
    const evaluate = new EvaluatePolicy(this, 'Policy', {
      config,
      queues,
      connectors,
      messages,
      transport,
      notices,
    })
    const outboundMail = new OutboundMail(this, 'OutboundMail', config, network)
    const authenticate = new AuthenticateMessage(this, 'Authentication', {
      config,
      outboundMail,
      queues,
      content,
      messages,
    })
    const deliver = new DeliverMessage(this, 'Delivery', {
      config,
      outboundMail,
      queues,
      connectors,
      content,
      messages,
      transport,
    })
    const bounce = new BounceMessage(this, 'Bounce', { config, outboundMail, queues, content, messages })
    const validate = new ValidateConnector(this, 'Validation', {
      config,
      outboundMail,
      connectors,
      transport,
    })
    const check = new CheckRecipient(this, 'RecipientCheck', { config, outboundMail, connectors, transport })
    check.grantInvoke(ingress.task)
    const report = new ReportTls(this, 'Reports', { config, outboundMail, queues, content, transport })
    const { summaries } = config
    const summary =
      summaries === undefined
        ? null
        : new SendSummary(this, 'Summary', {
            config,
            summaries,
            queues,
            content,
            events,
            messages,
            transport,
          })
    const expiryWatch = new WatchExpiry(this, 'ExpiryWatch', { config, connectors, transport, notices })
    const search = new EventSearch(this, 'EventSearch', config, events)
    const erase = new EraseAddress(this, 'Erasure', {
      config,
      queues,
      content,
      connectors,
      messages,
      events,
      hashKey,
    })
    const eventApi = new EventApi(this, 'EventApi', {
      config,
      events,
      hashKey,
      search,
      connectors,
      transport,
      messages,
      queue: queues.events,
      erase,
    })
    const api = new ConnectorApi(this, 'Api', {
      config,
      queues,
      connectors,
      messages,
      transport,
      validate,
      eventApi,
    })
    const console =
      config.console === undefined ? null : new Console(this, 'Console', { config, api: api.browserApi })
    const rotate = new RotateCertificate(this, 'Rotation', { config, certificate, connectors })
    rotate.runBefore(ingress.service)
    const canary = new SendCanary(this, 'Canary', { config, transport })
    const record = new RecordEvents(this, 'Recording', { config, queues, events, hashKey, messages })
    const seal = new SealHour(this, 'Sealing', { config, events, hashKey, messages, connectors })
    const pages = new PublicPages(this, 'Pages', { config, connectors })

    const functions = {
      evaluate: evaluate.handler,
      authenticate: authenticate.handler,
      deliver: deliver.handler,
      bounce: bounce.handler,
      api: api.handler,
      eventApi: eventApi.handler,
      validate: validate.handler,
      report: report.handler,
      expiryWatch: expiryWatch.handler,
      rotate: rotate.handler,
      canary: canary.handler,
      record: record.handler,
      seal: seal.handler,
      erase: erase.handler,
      ...(summary !== null && { summary: summary.handler }),
      ...(console !== null && { console: console.handler }),
    }
    new Monitoring(this, 'Monitoring', {
      config,
      metrics: new MailMetrics(this),
      network,
      ingress,
      queues,
      functions,
      tables: { messages, connectors, transport },
      api,
      pages,
    })
    if (!config.deletionProtection)
      new CfnOutput(this, 'DeletionProtection', { value: deletionProtectionAdvice })
  }
}
