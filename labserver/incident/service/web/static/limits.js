// Every delay and bound of the page, in one place.

// A job is asked for 40 times, every 3 seconds: for 2 minutes. A server that says Retry-After is given longer.
export const POLLS_AT_MOST = 40;
export const POLL_EVERY_S = 3;
export const FIRST_POLL_S = 1;
// Without an answer, each delay is twice the one before.
export const BACK_OFF_AT_MOST_S = 24;
// Photographs that a full server did not take are sent again, as often and as late as it says.
export const SUBMITS_AT_MOST = 5;
export const RESUBMIT_S = 3;
// A page does not sit through a longer wait, but says what it was told.
export const LONGEST_WAIT_S = 300;
// An answer that takes longer is none.
export const ANSWER_WITHIN_S = 15;
export const UPLOAD_WITHIN_S = 120;

export const PHOTO_TYPES = ["image/jpeg", "image/png", "image/webp"];
// Multipart boundaries and headers, beside the photographs, also count for the server.
export const FORM_BYTES = 2048;

export const READ_EVERY_S = 2;
export const READING_WITHIN_S = 5;
export const CURVE_S = 300;
