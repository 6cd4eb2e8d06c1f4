// Fetches the page again, and draws how many records a second were published between two looks.
const seen = [];
const draw = () => {
  const main = document.querySelector("main");
  seen.push([performance.now() / 1000, Number(main.dataset.records)]);
  if (seen.length > 121) seen.shift();
  const rates = seen.slice(1).map(([at, sum], n) => Math.max(0, (sum - seen[n][1]) / (at - seen[n][0])));
  if (!rates.length) return;
  const top = Math.max(...rates, 1);
  const dot = (rate, n) => `${120 - rates.length + n + 1},${(38 - 36 * rate / top).toFixed(2)}`;
  document.querySelector("polyline").setAttribute("points", rates.map(dot).join(" "));
  document.querySelector("#rate").textContent = Math.round(rates.at(-1)).toLocaleString("en");
};
const look = async () => {
  const main = document.querySelector("main");
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    main.replaceWith(next.querySelector("main"));
    document.title = next.title;
    draw();
  } catch {
    main.classList.add("gone");
    document.querySelector(".pill").textContent = "no answer";
    document.querySelector(".pill").className = "pill bad";
  }
};
draw();
setInterval(() => document.hidden || look(), 2000);
