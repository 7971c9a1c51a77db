// Waits `seconds`, and tells how many are left as they pass; throws the signal's reason as soon as it is aborted.
export function wait(seconds, { signal, tick = () => {} }) {
  const end = performance.now() + seconds * 1000;
  return new Promise((resolve, reject) => {
    let timer = 0;
    const leave = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const step = () => {
      const leftMs = end - performance.now();
      if (leftMs <= 0) {
        signal.removeEventListener("abort", leave);
        resolve();
        return;
      }
      tick(Math.ceil(leftMs / 1000));
      timer = setTimeout(step, leftMs % 1000 || 1000);
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    step();
  });
}
