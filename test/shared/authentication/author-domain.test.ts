import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authorDomain } from '../../../shared/authentication/author-domain.ts'

const read = (value: string): string => {
  const author = authorDomain([value])
  return author.kind === 'One' ? author.domain : author.reason
}

describe('the domain of From:', () => {
  for (const [value, expected] of [
    ['a@p.example', 'p.example'],
    [' A <a@P.Example>\r\n', 'p.example'],
    ['"A, B" <a@p.example>', 'p.example'],
    ['"a\\"b"@p.example', 'p.example'],
    ['"a@q.example"@p.example', 'p.example'],
    ['John Q. Public <a.b@p.example>', 'p.example'],
    ['A @ P <a@p.example>', 'p.example'],
    ['Müller <a@p.example>', 'p.example'],
    ['mü@p.example', 'p.example'],
    ['a (b (c) \\) d) @ p . example', 'p.example'],
    ['a@p.example,', 'p.example'],
    ['Team: a@p.example;', 'p.example'],
    ['Team: a@p.example;, b@p.example', 'p.example'],
    ['<a@p.example> <b@p.example>', 'malformed From field'],
    ['a@p.example b@p.example', 'malformed From field'],
    ['a@b@p.example', 'malformed From field'],
    ['<@q.example:a@p.example>', 'malformed From field'],
    ['a@p..example', 'malformed From field'],
    ['a@p.example.', 'malformed From field'],
    ['@p.example', 'malformed From field'],
    ['a@', 'malformed From field'],
    ['a@p.example (', 'malformed From field'],
    ['"a@p.example', 'malformed From field'],
    ['a@p.example; b@p.example', 'malformed From field'],
    ['A: B: a@p.example;;', 'malformed From field'],
    ['Team: a@p.example', 'malformed From field'],
    ['Team: a@p.example; b@p.example', 'malformed From field'],
    ['a@p.example\0', 'malformed From field'],
    ['A <a@p.example> B', 'malformed From field'],
    ['a@q.example, b@q.example <c@p.example>', 'several domains in From'],
    ['a@"p.example"', 'malformed From field'],
    ['', 'no domain in From'],
    ['nothing', 'malformed From field'],
    ['Group:;', 'no domain in From'],
  ] as const)
    it(JSON.stringify(value), () => assert.equal(read(value), expected))
})
