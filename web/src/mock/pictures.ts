// Drawn people and slides, so that pictures of the pages look like a call.

function random(seed: number): () => number {
  let s = seed || 1;
  return () => {
    s = Math.imul(s ^ (s >>> 15), 0x2c1b3c6d) >>> 0;
    s = Math.imul(s ^ (s >>> 12), 0x297a2d39) >>> 0;
    s = (s ^ (s >>> 15)) >>> 0;
    return s / 4294967296;
  };
}

const kSkins = ['#f2cfb4', '#e3b08c', '#c98f66', '#a06a44', '#7a4e31', '#f6d9c4'];
const kHairs = ['#1f1a18', '#3b2a20', '#5a3d28', '#86603a', '#b98a4e', '#2a2f36', '#6d6a68'];
const kClothes = ['#2f5d73', '#7a3e48', '#3d6a4f', '#52508a', '#a2673a', '#394450', '#8a7a3b', '#b9c3c6'];

/** A person before a softly lit room, moving a little. */
export function drawPortrait(c: CanvasRenderingContext2D, time: number, seed: number): void {
  const { width: w, height: h } = c.canvas;
  const r = random(seed);
  const pick = <T>(list: T[]): T => list[Math.floor(r() * list.length)]!;
  const hue = Math.floor(r() * 360);
  const warm = r() > 0.5;

  const wall = c.createLinearGradient(0, 0, w, h);
  wall.addColorStop(0, `hsl(${hue} ${warm ? 26 : 18}% 74%)`);
  wall.addColorStop(1, `hsl(${(hue + 30) % 360} 20% 44%)`);
  c.fillStyle = wall;
  c.fillRect(0, 0, w, h);

  const furniture = Math.floor(r() * 3);
  if (furniture === 0) {
    const glow = c.createRadialGradient(w * 0.8, h * 0.2, 10, w * 0.8, h * 0.2, w * 0.5);
    glow.addColorStop(0, 'rgba(255,246,222,.95)');
    glow.addColorStop(1, 'rgba(255,246,222,0)');
    c.fillStyle = 'rgba(255,252,240,.75)';
    c.fillRect(w * 0.7, h * 0.06, w * 0.22, h * 0.46);
    c.fillStyle = glow;
    c.fillRect(0, 0, w, h);
    c.fillStyle = `hsl(${hue} 18% 52%)`;
    c.fillRect(w * 0.805, h * 0.06, w * 0.01, h * 0.46);
  } else if (furniture === 1) {
    for (let shelf = 0; shelf < 3; shelf++) {
      const y = h * (0.2 + shelf * 0.22);
      let x = w * 0.05;
      while (x < w * 0.3) {
        const bw = w * (0.012 + r() * 0.016);
        const bh = h * (0.09 + r() * 0.07);
        c.fillStyle = `hsl(${Math.floor(r() * 360)} 32% ${38 + r() * 28}%)`;
        c.fillRect(x, y - bh, bw, bh);
        x += bw + 2;
      }
      c.fillStyle = 'rgba(60,42,28,.55)';
      c.fillRect(w * 0.04, y, w * 0.28, h * 0.016);
    }
  } else {
    c.fillStyle = `hsl(${hue} 16% 36%)`;
    c.beginPath();
    c.roundRect(w * 0.76, h * 0.66, w * 0.12, h * 0.2, 8);
    c.fill();
    for (let leaf = 0; leaf < 9; leaf++) {
      const a = -Math.PI / 2 + (leaf - 4) * 0.26;
      c.strokeStyle = `hsl(${135 + leaf * 3} 34% ${30 + leaf * 2}%)`;
      c.lineWidth = w * 0.018;
      c.lineCap = 'round';
      c.beginPath();
      c.moveTo(w * 0.82, h * 0.68);
      c.quadraticCurveTo(w * 0.82 + Math.cos(a) * w * 0.04, h * 0.5, w * 0.82 + Math.cos(a) * w * 0.13, h * 0.62 + Math.sin(a) * h * 0.42);
      c.stroke();
    }
  }

  const skin = pick(kSkins);
  const hair = pick(kHairs);
  const cloth = pick(kClothes);
  const long = r() > 0.5;
  const glasses = r() > 0.68;
  const phase = r() * 6;
  const x = w * (0.47 + r() * 0.06) + Math.sin(time * 0.8 + phase) * w * 0.006;
  const y = h * 0.47 + Math.sin(time * 1.1 + phase) * h * 0.008;
  const head = h * 0.205;

  if (long) {
    c.fillStyle = hair;
    c.beginPath();
    c.ellipse(x, y + head * 0.5, head * 1.06, head * 1.55, 0, 0, Math.PI * 2);
    c.fill();
  }
  c.fillStyle = cloth;
  c.beginPath();
  c.moveTo(x - head * 2.3, h + 4);
  c.bezierCurveTo(x - head * 2.2, y + head * 1.7, x - head * 1.1, y + head * 1.55, x, y + head * 1.5);
  c.bezierCurveTo(x + head * 1.1, y + head * 1.55, x + head * 2.2, y + head * 1.7, x + head * 2.3, h + 4);
  c.fill();
  c.fillStyle = skin;
  c.fillRect(x - head * 0.36, y + head * 0.6, head * 0.72, head * 1.0);
  c.beginPath();
  c.ellipse(x, y + head * 1.58, head * 0.44, head * 0.3, 0, 0, Math.PI * 2);
  c.fill();
  c.fillStyle = 'rgba(60,25,10,.16)';
  c.beginPath();
  c.ellipse(x, y + head * 0.98, head * 0.42, head * 0.22, 0, 0, Math.PI * 2);
  c.fill();
  c.fillStyle = skin;
  c.beginPath();
  c.ellipse(x, y, head * 0.8, head, 0, 0, Math.PI * 2);
  c.fill();
  c.fillStyle = hair;
  c.beginPath();
  c.ellipse(x, y - head * 0.42, head * 0.88, head * 0.72, 0, Math.PI, 0);
  c.bezierCurveTo(x + head * 0.8, y - head * 0.2, x + head * 0.4, y - head * 0.55, x - head * 0.1, y - head * 0.5);
  c.bezierCurveTo(x - head * 0.5, y - head * 0.46, x - head * 0.8, y - head * 0.3, x - head * 0.88, y - head * 0.4);
  c.fill();
  const blink = (time + phase) % 4 < 0.12 ? 0.15 : 1;
  c.fillStyle = '#2a211d';
  for (const side of [-1, 1]) {
    c.beginPath();
    c.ellipse(x + side * head * 0.3, y + head * 0.06, head * 0.065, head * 0.08 * blink, 0, 0, Math.PI * 2);
    c.fill();
  }
  if (glasses) {
    c.strokeStyle = 'rgba(30,30,34,.85)';
    c.lineWidth = head * 0.045;
    for (const side of [-1, 1]) {
      c.beginPath();
      c.ellipse(x + side * head * 0.3, y + head * 0.07, head * 0.22, head * 0.19, 0, 0, Math.PI * 2);
      c.stroke();
    }
    c.beginPath();
    c.moveTo(x - head * 0.08, y + head * 0.05);
    c.lineTo(x + head * 0.08, y + head * 0.05);
    c.stroke();
  }
  c.strokeStyle = 'rgba(120,50,40,.75)';
  c.lineWidth = head * 0.06;
  c.lineCap = 'round';
  c.beginPath();
  c.arc(x, y + head * 0.36, head * 0.24, 0.25 * Math.PI, 0.75 * Math.PI);
  c.stroke();

  const shade = c.createRadialGradient(w / 2, h * 0.45, h * 0.4, w / 2, h * 0.5, w * 0.75);
  shade.addColorStop(0, 'rgba(0,0,0,0)');
  shade.addColorStop(1, 'rgba(10,14,20,.34)');
  c.fillStyle = shade;
  c.fillRect(0, 0, w, h);
}

/** A slide with a small chart, for a shared screen. */
export function drawSlides(c: CanvasRenderingContext2D, time: number): void {
  const { width: w, height: h } = c.canvas;
  c.fillStyle = '#fbfaf6';
  c.fillRect(0, 0, w, h);
  c.fillStyle = '#0d6b5f';
  c.fillRect(0, 0, w * 0.012, h);
  c.fillStyle = '#1a2320';
  c.font = `600 ${h * 0.075}px sans-serif`;
  c.fillText('Forwarding delay, one week', w * 0.07, h * 0.16);
  c.fillStyle = '#6a756f';
  c.font = `400 ${h * 0.034}px sans-serif`;
  c.fillText('Median and 99th percentile, milliseconds', w * 0.07, h * 0.225);
  c.strokeStyle = '#e2ded3';
  c.lineWidth = 2;
  for (let i = 0; i < 5; i++) {
    c.beginPath();
    c.moveTo(w * 0.07, h * (0.34 + i * 0.13));
    c.lineTo(w * 0.93, h * (0.34 + i * 0.13));
    c.stroke();
  }
  const line = (offset: number, swing: number, colour: string) => {
    c.strokeStyle = colour;
    c.lineWidth = h * 0.009;
    c.lineJoin = 'round';
    c.beginPath();
    for (let i = 0; i <= 40; i++) {
      const x = w * (0.07 + (0.86 * i) / 40);
      const y = h * (offset + Math.sin(i * 0.5 + time * 0.3) * swing + Math.sin(i * 1.7) * swing * 0.5);
      if (i === 0) c.moveTo(x, y);
      else c.lineTo(x, y);
    }
    c.stroke();
  };
  line(0.76, 0.012, '#0d6b5f');
  line(0.55, 0.035, '#d98a5b');
}
