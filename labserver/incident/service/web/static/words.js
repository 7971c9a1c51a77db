// Figures in words.

export function inBytes(bytes) {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

export function inTime(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, "min", Math.floor(seconds % 60), "s");
  return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

const pair = (many, unit, rest, smaller) => (rest === 0 ? `${many} ${unit}` : `${many} ${unit} ${rest} ${smaller}`);

export const inNumber = (count) => count.toLocaleString("en");
