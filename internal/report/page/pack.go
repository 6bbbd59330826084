package page

import (
	"encoding/base64"
	"io"
	"iter"

	"github.com/pushcheck/pushcheck/internal/gzips"
)

// plainLines is how many exchanges and lines of output may stand behind all cells
// of a page whose evidence is written as it is read: about a megabyte. A whole sweep
// has seven times as many, nearly all of them again and again.
const plainLines = 4000

// Packed says that the evidence is more than stands plainly in a page.
func (v pageView) Packed() bool {
	n := 0
	for c := range v.cells() {
		n += min(len(c.Evidence.Result.Trace), shownSteps) + min(len(c.Evidence.Result.Said), maxLines)
	}
	return n > plainLines
}

// writePlain writes an article for each cell.
func writePlain(w io.Writer, cells iter.Seq[cellView]) error {
	for c := range cells {
		if err := layout().ExecuteTemplate(w, "article", c); err != nil {
			return err
		}
		if err := layout().ExecuteTemplate(w, "inside", newEvidenceView(c)); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "</article>\n"); err != nil {
			return err
		}
	}
	return nil
}

// writePacked writes an empty article for each cell, and after them what belongs in
// them, in the same order: compressed all together, so that what repeats stands there
// once, as a block of data that no browser runs or shows. The page's script fills an
// article when it is opened. What is packed is what writePlain writes, escaped as
// there.
func writePacked(w io.Writer, cells iter.Seq[cellView]) error {
	for c := range cells {
		if err := layout().ExecuteTemplate(w, "article", c); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "</article>\n"); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, `<script type="application/octet-stream" id="pack">`); err != nil {
		return err
	}
	if err := writePack(w, cells); err != nil {
		return err
	}
	_, err := io.WriteString(w, "</script>\n")
	return err
}

// partEnd ends what belongs in one article: html/template lets no NUL through.
const partEnd = "\x00"

// writePack writes the parts as gzip in base64.
func writePack(w io.Writer, cells iter.Seq[cellView]) error {
	text := base64.NewEncoder(base64.StdEncoding, w)
	zip := gzips.Writer(text)
	defer gzips.Return(zip)
	for c := range cells {
		if err := layout().ExecuteTemplate(zip, "inside", newEvidenceView(c)); err != nil {
			return err
		}
		if _, err := io.WriteString(zip, partEnd); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	return text.Close()
}
