/** A request that the API refused, or that did not reach it. */

export interface ApiFault {
  path: string
  message: string
}

export class ApiError extends Error {
  /** The status of HTTP; 0 if there was no answer. */
  readonly status: number
  /** The faults in fields, if the API names them. */
  readonly faults: readonly ApiFault[]

  constructor(status: number, message: string, faults: readonly ApiFault[] = []) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.faults = faults
  }
}

/** Reads the problem details (RFC 9457) of an answer. A proxy may have replaced them. */
export async function toApiError(response: Response): Promise<ApiError> {
  const { status } = response
  try {
    const { detail, message, errors } = await response.json()
    return new ApiError(status, String(detail ?? message ?? defaultText(status)), errors ?? [])
  } catch {
    return new ApiError(status, defaultText(status))
  }
}

const defaultText = (status: number): string =>
  status === 401
    ? 'Your session has ended. Sign in again.'
    : status === 403
      ? 'Your role does not permit this.'
      : status >= 500
        ? `The API failed (${status}). Try again in a moment.`
        : `The API answered with ${status}.`
