import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  type DomainState,
  emptyDomainState,
  type FailedFetch,
  type PolicyStore,
  type StoredPolicy,
} from '../../../../shared/net/mta-sts/policy-store.ts'
import { MtaStsSource, type PolicyFault } from '../../../../shared/net/mta-sts/source.ts'
import { type MtaStsState, noMtaSts } from '../../../../shared/policy/hop-facts.ts'
import { fakeResolver } from '../../../support/dns.ts'
import { createPki } from '../../../support/pki.ts'
import {
  type PolicyHost,
  plainText,
  policyText,
  type ResponseHandler,
  startPolicyHost,
  trust,
} from '../../../support/policy-host.ts'
import { within } from '../../../support/within.ts'

const minute = 60_000
const hour = 3_600_000
const day = 86_400_000
const week = 604_800
const begin = Date.parse('2026-11-25T00:00:00Z')
const domain = 'partner.example'

/** Like the policy table, keeps the policy that was fetched later. */
class MemoryPolicyStore implements PolicyStore {
  readonly states = new Map<string, DomainState>()
  reads = 0
  broken = false

  async read(domainName: string): Promise<DomainState> {
    this.reads += 1
    if (this.broken) throw new Error('the table is away')
    return this.states.get(domainName) ?? emptyDomainState
  }

  async savePolicy(domainName: string, policy: StoredPolicy): Promise<void> {
    if (this.broken) throw new Error('the table is away')
    if ((this.states.get(domainName)?.policy?.fetchedAt ?? -1) < policy.fetchedAt)
      this.states.set(domainName, { policy, failure: null })
  }

  async saveFailure(domainName: string, failure: FailedFetch): Promise<void> {
    if (this.broken) throw new Error('the table is away')
    this.states.set(domainName, { policy: this.states.get(domainName)?.policy ?? null, failure })
  }
}

/** One domain, its name servers, its policy host, and the time. */
let clock: number
let answer: ResponseHandler
let txt: string[]
let dnsFails: string | null
let store: MemoryPolicyStore
let host: PolicyHost
let unrelated: PolicyHost
let policyFaults: PolicyFault[]
let queries: string[]
let address: string

before(async () => {
  const pki = await createPki()
  trust(pki.ca)
  const identity = await pki.issue({ names: ['*.partner.example', 'mta-sts.sub.partner.example'] })
  host = await startPolicyHost(identity, (request, response) => answer(request, response))
  unrelated = await startPolicyHost(await pki.issue({ names: ['mta-sts.other.example'] }), (_, response) =>
    response.end(),
  )
})
after(() => Promise.all([host.stop(), unrelated.stop()]))
beforeEach(() => {
  clock = begin
  txt = ['v=STSv1; id=a1;']
  dnsFails = null
  store = new MemoryPolicyStore()
  policyFaults = []
  queries = []
  address = host.address
  host.requests.length = 0
  servePolicy({})
})

const servePolicy = (fields: Parameters<typeof policyText>[0]) => {
  answer = plainText(policyText(fields))
}
const failPolicyHost = (status = 503) => {
  answer = (_, response) => response.writeHead(status).end()
}
/** Holds every response until `release` is called. */
function holdResponses(): { fetchStarted: Promise<unknown>; release(text: string): void } {
  const waiting: ServerResponse[] = []
  let begin = () => {}
  const fetchStarted = new Promise<void>((resolve) => {
    begin = resolve
  })
  answer = (_, response) => {
    waiting.push(response)
    begin()
  }
  return {
    fetchStarted: within(10_000, fetchStarted, 'the fetch'),
    release(text) {
      for (const response of waiting) response.setHeader('Content-Type', 'text/plain').end(text)
    },
  }
}

/** Creates a worker with its own cache. */
function worker(): MtaStsSource {
  return new MtaStsSource({
    store,
    resolver: {
      query: (name, type, signal) => {
        queries.push(`${type} ${name}`)
        const zone = {
          txt: { [`_mta-sts.${domain}`]: txt },
          a: { [`mta-sts.${domain}`]: [address], 'mta-sts.sub.partner.example': [address] },
          fail: dnsFails === null ? {} : { [`TXT _mta-sts.${domain}`]: dnsFails },
        }
        return fakeResolver(zone).query(name, type, signal)
      },
    },
    privateNetworks: ['127.0.0.0/8'],
    now: () => new Date(clock),
    onFault: (fault) => policyFaults.push(fault),
  })
}

const findPolicy = (source: MtaStsSource, domainName = domain, signal = AbortSignal.timeout(20_000)) =>
  source.policyFor(domainName, signal)

const faultOf = (mtaSts: MtaStsState): string | null => mtaSts.fault?.result ?? null

/** Returns mode and id (`enforce a1`), `unknown`, or without a policy the fault's result or `none`. */
const describeState = (mtaSts: MtaStsState): string => {
  if (mtaSts.kind === 'Policy') return `${mtaSts.policy.mode} ${mtaSts.policy.id}`
  return mtaSts.kind === 'Unknown' ? 'unknown' : (mtaSts.fault?.result ?? 'none')
}

describe('a domain without an MTA-STS policy', () => {
  for (const [title, records] of [
    ['no TXT record', []],
    ['two records', ['v=STSv1; id=a1', 'v=STSv1; id=b2']],
    ['an invalid record', ['v=STSv1; id=a-1']],
    ['only records of other kinds', ['v=spf1 -all']],
  ] as const)
    it(`has ${title}: the result is no policy, without a request to a policy host`, async () => {
      txt = [...records]
      assert.deepEqual(await findPolicy(worker()), noMtaSts)
      assert.equal(host.requests.length, 0)
      assert.deepEqual(queries, ['TXT _mta-sts.partner.example'])
    })

  it('does not get the policy of its parent domain, whose record is not queried', async () => {
    assert.deepEqual(await findPolicy(worker(), 'sub.partner.example'), noMtaSts)
    assert.deepEqual(queries, ['TXT _mta-sts.sub.partner.example'])
  })

  it('is read from the table once in five minutes', async () => {
    txt = []
    const source = worker()
    for (let n = 0; n < 5; n += 1) {
      await findPolicy(source)
      clock += minute
    }
    assert.equal(store.reads, 1)
    assert.equal(queries.length, 5)
    await findPolicy(source)
    assert.equal(store.reads, 2)
  })

  for (const name of ['[192.0.2.1]', '', `${'a.'.repeat(122)}example`, 'a b.example', '127.0.0.1'])
    it(`is "${name.slice(0, 20)}", for which no TXT record is queried`, async () => {
      assert.deepEqual(await findPolicy(worker(), name), noMtaSts)
      assert.deepEqual(queries, [])
    })
})

describe('an announced MTA-STS policy', () => {
  for (const mode of ['enforce', 'testing', 'none'] as const)
    it(`of mode ${mode} is fetched once, stored, and returned by every worker`, async () => {
      servePolicy({ mode, mx: ['mx.partner.example', '*.backup.example'] })
      const source = worker()
      const expected: MtaStsState = {
        kind: 'Policy',
        policy: { id: 'a1', mode, mx: ['mx.partner.example', '*.backup.example'], maxAge: week },
        fault: null,
      }
      assert.deepEqual(await findPolicy(source), expected)
      assert.deepEqual(await findPolicy(source, 'Partner.Example.'), expected)
      assert.deepEqual(await findPolicy(worker()), expected)
      assert.equal(host.requests.length, 1)
      assert.equal(store.reads, 3, 'before the fetch, at its beginning, and by the other worker')
      assert.deepEqual(store.states.get(domain)?.policy, {
        ...expected.policy,
        fetchedAt: clock,
        validUntil: clock + week * 1000,
      })
      assert.deepEqual(policyFaults, [])
    })

  it('is fetched once for concurrent calls', async () => {
    const source = worker()
    const all = await Promise.all(Array.from({ length: 20 }, () => findPolicy(source)))
    assert.deepEqual([...new Set(all.map(describeState))], ['enforce a1'])
    assert.equal(host.requests.length, 1)
  })

  it('with max_age 0 is fetched for each call', async () => {
    servePolicy({ maxAge: 0 })
    const source = worker()
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    assert.equal(host.requests.length, 2)
  })

  const faults: [title: string, arrange: () => void, result: string, detail: RegExp][] = [
    ['the policy host responds 404', () => failPolicyHost(404), 'sts-policy-fetch-error', /answered 404/],
    [
      'the policy host has a private address',
      () => {
        address = '10.0.0.1'
      },
      'sts-policy-fetch-error',
      /no address that may be used/,
    ],
    [
      'the policy host has a certificate for another name',
      () => {
        address = unrelated.address
      },
      'sts-webpki-invalid',
      /certificate is for mta-sts.other.example/,
    ],
    [
      'the policy host serves another text',
      () => {
        answer = plainText('hello')
      },
      'sts-policy-invalid',
      /Line 1 is not a field/,
    ],
    ['the policy has no mx', () => servePolicy({ mx: [] }), 'sts-policy-invalid', /no mx/],
  ]
  for (const [title, arrange, result, expectedDetail] of faults)
    it(`leads to the result ${result}, which is reported, when ${title}`, async () => {
      arrange()
      const mtaSts = await findPolicy(worker())
      assert.equal(describeState(mtaSts), result)
      assert.match(mtaSts.kind === 'None' ? (mtaSts.fault?.detail ?? '') : '', expectedDetail)
      assert.equal(policyFaults.length, 1)
      assert.deepEqual({ ...policyFaults[0], detail: '' }, { domain, detail: '', activeMode: null })
      assert.match(policyFaults[0]?.detail ?? '', expectedDetail)
    })

  it('is not fetched again by any worker for five minutes after a failed fetch', async () => {
    failPolicyHost()
    const source = worker()
    for (let n = 0; n < 5; n += 1) {
      assert.equal(describeState(await findPolicy(source)), 'sts-policy-fetch-error')
      assert.equal(describeState(await findPolicy(worker())), 'sts-policy-fetch-error')
      clock += minute
    }
    assert.equal(host.requests.length, 1)
    servePolicy({})
    assert.equal(describeState(await findPolicy(worker())), 'enforce a1')
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    assert.equal(host.requests.length, 2)
  })

  it('with another id than that of a failed fetch is fetched a minute after the failure', async () => {
    failPolicyHost()
    const source = worker()
    await findPolicy(source)
    servePolicy({})
    txt = ['v=STSv1; id=b2']
    assert.equal(describeState(await findPolicy(source)), 'sts-policy-fetch-error')
    clock += minute
    assert.equal(describeState(await findPolicy(source)), 'enforce b2')
    assert.equal(host.requests.length, 2)
  })

  it('that is late does not delay an attempt beyond its timeout, and is available for the next attempt', async () => {
    const { fetchStarted, release } = holdResponses()
    const source = worker()
    const attempt = new AbortController()
    const pendingState = findPolicy(source, domain, attempt.signal)
    await fetchStarted
    attempt.abort()
    const mtaSts = await pendingState
    assert.equal(describeState(mtaSts), 'sts-policy-fetch-error')
    release(policyText())
    await source.waitForPending(5_000)
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    assert.equal(host.requests.length, 1)
  })

  it('may exist when the TXT query fails, so the result is sts-policy-fetch-error and not "no policy"', async () => {
    dnsFails = 'ESERVFAIL'
    const mtaSts = await findPolicy(worker())
    assert.equal(describeState(mtaSts), 'sts-policy-fetch-error')
    assert.match(
      mtaSts.kind === 'None' ? (mtaSts.fault?.detail ?? '') : '',
      /_mta-sts.partner.example: ESERVFAIL/,
    )
    assert.equal(host.requests.length, 0)
  })
})

describe('an active MTA-STS policy', () => {
  let source: MtaStsSource
  beforeEach(async () => {
    source = worker()
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    host.requests.length = 0
    policyFaults.length = 0
    clock += minute
  })

  const suppressed: [title: string, arrange: () => void, detail: RegExp, fault: string | null][] = [
    [
      'its TXT record is missing',
      () => {
        txt = []
      },
      /TXT record at _mta-sts.partner.example no longer exists/,
      null,
    ],
    [
      'there are two TXT records',
      () => {
        txt = ['v=STSv1; id=a1', 'v=STSv1; id=a1']
      },
      /TXT record at .* no longer exists/,
      null,
    ],
    [
      'the TXT query times out',
      () => {
        dnsFails = 'ETIMEOUT'
        failPolicyHost()
      },
      /ETIMEOUT/,
      'sts-policy-fetch-error',
    ],
    [
      'the TXT record is bogus',
      () => {
        dnsFails = 'BOGUS'
        failPolicyHost()
      },
      /ESERVFAIL/,
      'sts-policy-fetch-error',
    ],
    [
      'a new id is announced and the policy host responds 503',
      () => {
        txt = ['v=STSv1; id=b2']
        failPolicyHost()
      },
      /answered 503/,
      'sts-policy-fetch-error',
    ],
    [
      'a new id is announced and the policy host has a certificate for another name',
      () => {
        txt = ['v=STSv1; id=b2']
        address = unrelated.address
      },
      /certificate/,
      'sts-webpki-invalid',
    ],
    [
      'a new id is announced and the new policy is invalid',
      () => {
        txt = ['v=STSv1; id=b2']
        answer = plainText('<html>')
      },
      /Line 1/,
      'sts-policy-invalid',
    ],
  ]
  for (const [title, arrange, expectedDetail, fault] of suppressed)
    it(`applies until it expires, although ${title}`, async () => {
      arrange()
      for (const testedSource of [source, worker()]) {
        const mtaSts = await findPolicy(testedSource)
        assert.equal(describeState(mtaSts), 'enforce a1')
        assert.equal(faultOf(mtaSts), fault)
        await testedSource.waitForPending(5_000)
      }
      assert.match(policyFaults[0]?.detail ?? '', expectedDetail)
      assert.equal(policyFaults[0]?.activeMode, 'enforce')
      clock = begin + week * 1000 - 1
      assert.equal(describeState(await findPolicy(source)), 'enforce a1')
      await source.waitForPending(5_000)
      clock += 1
      assert.notEqual(describeState(await findPolicy(source)), 'enforce a1')
      await source.waitForPending(5_000)
    })

  it('that has expired leads to a fault while the policy host fails, and to no policy without a TXT record', async () => {
    clock = begin + week * 1000
    failPolicyHost()
    assert.equal(describeState(await findPolicy(source)), 'sts-policy-fetch-error')
    txt = []
    assert.deepEqual(await findPolicy(source), noMtaSts)
  })

  it('is replaced within the same attempt when another id is announced', async () => {
    txt = ['v=STSv1; id=b2']
    servePolicy({ mx: ['mx.new.example'] })
    const mtaSts = await findPolicy(source)
    assert.deepEqual(mtaSts.kind === 'Policy' && mtaSts.policy.mx, ['mx.new.example'])
    assert.equal(describeState(mtaSts), 'enforce b2')
    assert.equal(host.requests.length, 1)
  })

  it('is replaced without a fetch by a newer policy that another worker has fetched', async () => {
    txt = ['v=STSv1; id=b2']
    assert.equal(describeState(await findPolicy(worker())), 'enforce b2')
    assert.equal(describeState(await findPolicy(source)), 'enforce b2')
    assert.equal(host.requests.length, 1)
  })

  it('is used when a newly announced policy is late, and is replaced for the next attempt', async () => {
    txt = ['v=STSv1; id=b2']
    const { fetchStarted, release } = holdResponses()
    const attempt = new AbortController()
    const pendingState = findPolicy(source, domain, attempt.signal)
    await fetchStarted
    attempt.abort()
    assert.equal(describeState(await pendingState), 'enforce a1')
    release(policyText({ mode: 'testing' }))
    await source.waitForPending(5_000)
    assert.equal(describeState(await findPolicy(source)), 'testing b2')
    assert.equal(host.requests.length, 1)
  })

  it('is replaced by a new policy of mode none, whose expiry is not a fault', async () => {
    txt = ['v=STSv1; id=b2']
    servePolicy({ mode: 'none', mx: [], maxAge: 86_400 })
    assert.equal(describeState(await findPolicy(source)), 'none b2')
    txt = []
    assert.equal(describeState(await findPolicy(source)), 'none b2')
    clock += day
    assert.deepEqual(await findPolicy(source), noMtaSts)
    assert.deepEqual(policyFaults, [], 'the end of a policy in mode none is not a fault')
  })

  it('is renewed after a day without delaying the attempt', async () => {
    clock += day
    const { fetchStarted, release } = holdResponses()
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    await fetchStarted
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    servePolicy({})
    release(policyText({ mx: ['mx.new.example'] }))
    await source.waitForPending(5_000)
    assert.equal(host.requests.length, 1)
    assert.equal(store.states.get(domain)?.policy?.validUntil, clock + week * 1000)
    const mtaSts = await findPolicy(source)
    assert.deepEqual(mtaSts.kind === 'Policy' && mtaSts.policy.mx, ['mx.new.example'])
    assert.equal(host.requests.length, 1)
  })

  it('is renewed by one worker for all workers', async () => {
    clock += day
    const others = [source, worker(), worker()]
    await findPolicy(source)
    await source.waitForPending(5_000)
    for (const other of others) {
      await findPolicy(other)
      await other.waitForPending(5_000)
    }
    assert.equal(host.requests.length, 1)
  })

  it("that another worker has renewed does not expire at the older time in this worker's cache", async () => {
    servePolicy({ maxAge: 240 })
    txt = ['v=STSv1; id=b2']
    clock = begin
    const [one, other] = [worker(), worker()]
    await findPolicy(one)
    clock += minute
    await findPolicy(other)
    clock += minute
    await findPolicy(one)
    await one.waitForPending(5_000)
    clock = begin + 240_000
    txt = []
    assert.equal(describeState(await findPolicy(other)), 'enforce b2')
    clock += 2 * minute
    assert.deepEqual(await findPolicy(other), noMtaSts)
    const { reads } = store
    assert.deepEqual(await findPolicy(other), noMtaSts)
    assert.equal(store.reads, reads)
  })

  it('that another worker has renewed is not renewed again by a worker with an older cache', async () => {
    const other = worker()
    clock = begin + day - minute
    assert.equal(describeState(await findPolicy(other)), 'enforce a1')
    clock += minute
    await findPolicy(source)
    await source.waitForPending(5_000)
    await findPolicy(other)
    await other.waitForPending(5_000)
    assert.equal(host.requests.length, 1)
  })

  it('is renewed when the TXT query fails, but not when no TXT record exists', async () => {
    clock += day
    txt = []
    await findPolicy(source)
    await source.waitForPending(5_000)
    assert.equal(host.requests.length, 0)
    dnsFails = 'ETIMEOUT'
    await findPolicy(source)
    await source.waitForPending(5_000)
    assert.equal(host.requests.length, 1)
  })

  it('applies while its renewal fails, with a retry and a reported fault every five minutes', async () => {
    clock += day
    failPolicyHost()
    for (let n = 0; n < 10; n += 1) {
      const mtaSts = await findPolicy(source)
      assert.equal(describeState(mtaSts), 'enforce a1')
      assert.equal(faultOf(mtaSts), n === 0 ? null : 'sts-policy-fetch-error')
      await source.waitForPending(5_000)
      clock += minute
    }
    assert.equal(host.requests.length, 2)
    servePolicy({})
    await findPolicy(source)
    await source.waitForPending(5_000)
    assert.equal(faultOf(await findPolicy(source)), null)
    assert.deepEqual(
      policyFaults.map(({ activeMode }) => activeMode),
      ['enforce', 'enforce'],
    )
    assert.equal(store.states.get(domain)?.policy?.id, 'a1')
  })

  it('whose TXT query fails is reported at most once an hour', async () => {
    dnsFails = 'ETIMEOUT'
    for (let n = 0; n < 12; n += 1) {
      await findPolicy(source)
      clock += 10 * minute
    }
    assert.equal(policyFaults.length, 2)
  })

  it('is used from the cache while the table fails, and is fetched by a worker that has not cached it', async () => {
    store.broken = true
    clock += hour
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    txt = []
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    txt = ['v=STSv1; id=a1']
    assert.equal(host.requests.length, 0)
    assert.equal(describeState(await findPolicy(worker())), 'enforce a1')
    assert.equal(host.requests.length, 1)
    assert.ok(
      policyFaults.some(({ detail }) => /cannot be written to the table: the table is away/.test(detail)),
    )
  })
})

describe('while the table fails, a worker', () => {
  it('caches a failed fetch for five minutes, and then fetches and caches the policy', async () => {
    store.broken = true
    failPolicyHost()
    const source = worker()
    for (let n = 0; n < 3; n += 1) assert.equal(describeState(await findPolicy(source)), 'unknown')
    assert.equal(host.requests.length, 1)
    assert.ok(
      policyFaults.some(({ detail }) => /cannot be read from the table: the table is away/.test(detail)),
    )
    clock += 5 * minute
    servePolicy({})
    for (let n = 0; n < 3; n += 1) assert.equal(describeState(await findPolicy(source)), 'enforce a1')
    assert.equal(host.requests.length, 2)
  })
})

describe('while the table fails with a policy in it, a worker with an empty cache', () => {
  const storePolicyThenBreak = async () => {
    servePolicy({})
    assert.equal(describeState(await findPolicy(worker())), 'enforce a1')
    store.broken = true
  }

  it('returns Unknown, not "no policy", when the TXT record is missing', async () => {
    await storePolicyThenBreak()
    txt = []
    assert.equal(describeState(await findPolicy(worker())), 'unknown')
  })

  it('returns Unknown, not "no policy", when the TXT query times out', async () => {
    await storePolicyThenBreak()
    dnsFails = 'ETIMEOUT'
    assert.equal(describeState(await findPolicy(worker())), 'unknown')
  })

  it('fetches and uses a policy that is announced', async () => {
    await storePolicyThenBreak()
    assert.equal(describeState(await findPolicy(worker())), 'enforce a1')
  })

  it('uses the policy in the table as soon as the table works again', async () => {
    await storePolicyThenBreak()
    txt = []
    const source = worker()
    assert.equal(describeState(await findPolicy(source)), 'unknown')
    store.broken = false
    assert.equal(describeState(await findPolicy(source)), 'enforce a1')
  })
})

describe('two concurrent fetches of an MTA-STS policy', () => {
  it('leave in the table the policy whose fetch began later, although it ended earlier', async () => {
    const [slow, quick] = [worker(), worker()]
    const { fetchStarted, release } = holdResponses()
    const older = findPolicy(slow)
    await fetchStarted
    clock += 1_000
    txt = ['v=STSv1; id=b2']
    servePolicy({ mx: ['mx.new.example'] })
    assert.equal(describeState(await findPolicy(quick)), 'enforce b2')
    release(policyText())
    assert.equal(describeState(await older), 'enforce a1')
    assert.equal(store.states.get(domain)?.policy?.id, 'b2')
    assert.equal(describeState(await findPolicy(slow)), 'enforce b2')
    assert.equal(host.requests.length, 2)
  })
})

describe('waitForPending at the end of a batch', () => {
  it('ends immediately without a pending fetch, and at its limit with one', async () => {
    const source = worker()
    await within(5_000, source.waitForPending(60_000), 'the end without a pending fetch')
    const { fetchStarted, release } = holdResponses()
    const pendingState = findPolicy(source)
    await fetchStarted
    await within(5_000, source.waitForPending(50), 'the end with a pending fetch')
    release(policyText())
    assert.equal(describeState(await pendingState), 'enforce a1')
  })
})
