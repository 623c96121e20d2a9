/**
 * Signs a person in at the organisation's identity provider: authorization code with PKCE (RFC 7636, OpenID Connect Core
 * 1.0 §3.1). Tokens stay in this page's memory: a stolen browser profile has none. So each new page redirects to the
 * provider, which answers at once while its own session lasts.
 *
 * Attack: a person leaves, and another uses the open page. Defence: after the session's length the page drops its tokens,
 * and the provider must authenticate the person again (`max_age`, and `prompt=login` after an end). The console checks
 * `auth_time` itself, because some providers ignore these parameters.
 */
import * as oauth from 'oauth4webapi'
import { consolePath } from '../../../../shared/contract/console.ts'
import type { ConsoleConfig } from '../console-config.ts'
import { maxAge, sessionEnd } from './session-end.ts'
import { SignInFault, signInFault } from './sign-in-fault.ts'

export interface Session {
  /** The name that the provider gives the person; null if it gives none. */
  name: string | null
  /** When the person must authenticate again, in milliseconds since the epoch. */
  until: number
  /** Returns the access token, renewed if it is about to end. @throws SessionEnded */
  token(): Promise<string>
  /** Ends the session in all pages of this browser, and at the provider. */
  signOut(): Promise<void>
}

/** The tokens have ended, and the provider gives no others without the person. */
export class SessionEnded extends Error {}

type SignIn = NonNullable<ConsoleConfig['signIn']>

interface Pending {
  state: string
  nonce: string
  verifier: string
  /** Path, query and fragment of the view that the person wanted. */
  view: string
  /** Whether the provider was told to authenticate the person again. */
  isNewLogin: boolean
}

const pendingKey = 'mailflow-sign-in'
const signOutChannel = 'mailflow-sign-out'
/** A token is renewed this long before its end. */
const renewalMs = 60_000

const redirectUri = (): string => `${location.origin}${consolePath}`

/**
 * @returns the session; null when the page leaves for the provider
 * @throws Error with the provider's reason
 */
export async function signIn(settings: SignIn): Promise<Session | null> {
  try {
    return await signInOrLeave(settings)
  } catch (error) {
    throw signInFault(error, settings.issuer)
  }
}

async function signInOrLeave(settings: SignIn): Promise<Session | null> {
  const server = await discover(settings.issuer)
  const client: oauth.Client = { client_id: settings.clientId }
  const pending = takePending()
  const parameters = new URLSearchParams(location.search)
  const isAnswer = parameters.has('code') || parameters.has('error')
  if (pending === null || !isAnswer) {
    // An answer to no pending sign-in is no view, such as after the person went back in the history.
    const view = isAnswer && parameters.has('state') ? consolePath : shownView()
    await leaveForProvider(server, settings, view, false)
    return null
  }
  history.replaceState(null, '', pending.view)
  const callback = oauth.validateAuthResponse(server, client, parameters, pending.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    callback,
    redirectUri(),
    pending.verifier,
    requestOptions(settings.issuer),
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  })
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  if (claims === undefined) throw new SignInFault('The identity provider gave no ID token.')
  const until = sessionEnd(claims, settings.sessionMinutes, Date.now())
  if (until > Date.now()) return createSession(server, client, settings, tokens, until)
  if (pending.isNewLogin)
    throw new SignInFault(
      'The identity provider did not authenticate you again, although your session has ended. Sign out there, then try again.',
    )
  await leaveForProvider(server, settings, pending.view, true)
  return null
}

const shownView = (): string => `${location.pathname}${location.search}${location.hash}`

/**
 * Leaves for the provider, which authenticates the person and comes back to the view.
 * @throws Error if the provider cannot be reached
 */
export async function signInAgain(settings: SignIn): Promise<void> {
  try {
    await leaveForProvider(await discover(settings.issuer), settings, shownView(), true)
  } catch (error) {
    throw signInFault(error, settings.issuer)
  }
}

async function discover(issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, requestOptions(issuer)))
}

/** The issuer has HTTPS, except in tests on this machine. */
const requestOptions = (issuer: string) => ({
  [oauth.allowInsecureRequests]: new URL(issuer).hostname === '127.0.0.1',
})

async function leaveForProvider(
  server: oauth.AuthorizationServer,
  { clientId, scopes, sessionMinutes }: SignIn,
  view: string,
  isNewLogin: boolean,
): Promise<void> {
  if (server.authorization_endpoint === undefined)
    throw new SignInFault('The identity provider has no authorization endpoint.')
  const pending: Pending = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    view,
    isNewLogin,
  }
  sessionStorage.setItem(pendingKey, JSON.stringify(pending))
  const url = new URL(server.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: [...new Set(['openid', ...scopes])].join(' '),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
    // OpenID Connect Core 1.0 §3.1.2.1
    max_age: String(maxAge(sessionMinutes)),
    ...(isNewLogin && { prompt: 'login' }),
  }).toString()
  location.assign(url)
}

/** A pending sign-in is used once. */
function takePending(): Pending | null {
  const stored = sessionStorage.getItem(pendingKey)
  sessionStorage.removeItem(pendingKey)
  if (stored === null) return null
  try {
    const pending = JSON.parse(stored) as Pending
    // Attack: what is stored names a page elsewhere. Defence: only a view of the console is opened.
    return new URL(pending.view, location.origin).origin === location.origin &&
      pending.view.startsWith(consolePath)
      ? pending
      : null
  } catch {
    return null
  }
}

function createSession(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  { issuer }: SignIn,
  first: oauth.TokenEndpointResponse,
  until: number,
): Session {
  const claims = oauth.getValidatedIdTokenClaims(first)
  let tokens: Tokens | null = tokensOf(first)
  let renewal: Promise<Tokens> | null = null
  const channel = new BroadcastChannel(signOutChannel)
  channel.addEventListener('message', () => {
    tokens = null
    location.assign(signedOutUrl())
  })
  const renew = async (refreshToken: string): Promise<Tokens> => {
    try {
      const response = await oauth.refreshTokenGrantRequest(
        server,
        client,
        oauth.None(),
        refreshToken,
        requestOptions(issuer),
      )
      const renewed = tokensOf(await oauth.processRefreshTokenResponse(server, client, response))
      return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken }
    } catch (error) {
      // The provider did not answer, which says nothing about the session.
      if (error instanceof TypeError) throw signInFault(error, issuer)
      throw new SessionEnded('Your session has ended. Sign in again.')
    }
  }
  return {
    name: nameIn(claims),
    until,
    async token() {
      if (Date.now() >= until) tokens = null
      if (tokens === null) throw new SessionEnded('Your session has ended. Sign in again.')
      if (Date.now() < tokens.until - renewalMs) return tokens.accessToken
      if (tokens.refreshToken === null) {
        if (Date.now() < tokens.until) return tokens.accessToken
        throw new SessionEnded('Your session has ended. Sign in again.')
      }
      renewal ??= renew(tokens.refreshToken).finally(() => {
        renewal = null
      })
      const { until: tokenUntil, accessToken } = tokens
      const renewed = await renewal.catch((error: unknown) => {
        if (error instanceof SessionEnded || Date.now() >= tokenUntil) throw error
        return null
      })
      if (renewed === null) return accessToken
      // The person may have signed out meanwhile.
      if (tokens === null) throw new SessionEnded('You have signed out.')
      tokens = renewed
      return tokens.accessToken
    },
    async signOut() {
      const idToken = tokens?.idToken
      tokens = null
      channel.postMessage('')
      const end = server.end_session_endpoint
      if (end === undefined) return location.assign(signedOutUrl())
      const url = new URL(end)
      url.search = new URLSearchParams({
        client_id: client.client_id,
        post_logout_redirect_uri: redirectUri(),
        ...(idToken && { id_token_hint: idToken }),
      }).toString()
      location.assign(url)
    },
  }
}

export const signedOutPath = `${consolePath}/signed-out`
const signedOutUrl = (): string => `${location.origin}${signedOutPath}`

interface Tokens {
  accessToken: string
  refreshToken: string | null
  idToken: string | null
  /** Milliseconds since the epoch. */
  until: number
}

const tokensOf = (response: oauth.TokenEndpointResponse): Tokens => ({
  accessToken: response.access_token,
  refreshToken: response.refresh_token ?? null,
  idToken: response.id_token ?? null,
  until: Date.now() + (response.expires_in ?? defaultSeconds) * 1000,
})

/** A provider need not say how long its token lasts. */
const defaultSeconds = 300

function nameIn(claims: oauth.IDToken | undefined): string | null {
  const name = claims?.name ?? claims?.preferred_username ?? claims?.email ?? claims?.sub
  return typeof name === 'string' ? name : null
}
