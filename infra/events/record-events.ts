import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { UnitFunction } from '../unit.ts'
import type { AddressHashKey } from './address-hash-key.ts'

export interface RecordEventsProps {
  readonly config: Config
  readonly queues: MailQueues
  readonly events: EventsBucket
  readonly hashKey: AddressHashKey
  readonly messages: MessagesTable
}

/** Stores the events of the events queue. */
export class RecordEvents extends Construct {
  readonly handler: UnitFunction

  constructor(
    scope: Construct,
    id: string,
    { config, queues, events, hashKey, messages }: RecordEventsProps,
  ) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'record-events',
      description: 'Stores what happened to mail',
      config,
      limits: config.functions.record,
    })
    events.grantRecording(this.handler)
    hashKey.grantHashing(this.handler)
    messages.grantRejected(this.handler)
    queues.events.consume(this.handler)
  }
}
