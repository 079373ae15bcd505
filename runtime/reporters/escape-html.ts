// Text inside of HTML, elements and quoted attributes alike. A leaf: reports that are HTML in part (GitHub's summary) or whole share it.

export function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
