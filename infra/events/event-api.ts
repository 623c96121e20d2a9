import { Construct } from 'constructs'
import { type Config, setDecisionEnvironment, setSignInEnvironment } from '../config.ts'
import type { MailQueue } from '../queues/mail-queue.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import type { AddressHashKey } from './address-hash-key.ts'
import type { EraseAddress } from './erase-address.ts'
import type { EventSearch } from './event-search.ts'

export interface EventApiProps {
  readonly config: Config
  readonly events: EventsBucket
  readonly hashKey: AddressHashKey
  readonly search: EventSearch
  readonly connectors: ConnectorsTable
  readonly messages: MessagesTable
  readonly transport: TransportTable
  readonly queue: MailQueue
  readonly erase: EraseAddress
}

/** Answers questions about the events, and starts erasures. */
export class EventApi extends Construct {
  readonly handler: UnitFunction

  constructor(
    scope: Construct,
    id: string,
    { config, events, hashKey, search, connectors, transport, messages, queue, erase }: EventApiProps,
  ) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'event-api',
      description: 'Reports, searches and dry runs over the events, and erasures',
      config,
      limits: config.functions.eventApi,
      // The counts of 90 busy days are in memory (`npm run bench:asking`).
      memoryMiB: 1024,
    })
    events.grantRead(this.handler)
    hashKey.grantRead(this.handler)
    search.grantSearch(this.handler)
    connectors.grantSnapshot(this.handler)
    messages.grantWaiting(this.handler)
    transport.grantReceivedReports(this.handler)
    transport.grantObserved(this.handler)
    setDecisionEnvironment(config, this.handler)
    events.grantErasures(this.handler)
    messages.grantHistory(this.handler)
    queue.grantSend(this.handler)
    erase.grantInvoke(this.handler)
    setSignInEnvironment(config, this.handler)
  }
}
