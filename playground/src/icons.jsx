// The icons of the panels and buttons, drawn with one stroke.
const icon = (path) =>
  function Icon(props) {
    return (
      <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" {...props}>
        <path d={path} />
      </svg>
    );
  };

export const EyeIcon = icon("M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z");
export const PlanIcon = icon("M4 4h7v5H4zM13 15h7v5h-7zM7.5 9v8.500H13M4 13h0M16 4h4M16 8h4");
export const StreamIcon = icon("M4 5h16M4 10h10M4 15h16M4 20h6M18 18v4M16 20h4");
export const ModelIcon = icon("M3 4h7v6H3zM14 14h7v6h-7zM14 4h7v5h-7zM10 7h4M6.500 10v7H14");
export const DownloadIcon = icon("M12 3v12M7 11l5 5 5-5M4 20h16");
