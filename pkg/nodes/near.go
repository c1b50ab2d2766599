package nodes

import "strings"

// Nearest is the name that is most like a text; empty where none is near.
func Nearest(text string, names []string) string {
	best, least := "", 1<<30
	for _, name := range names {
		d := distance(strings.ToLower(text), strings.ToLower(name))
		if isNear(d, text) && d < least {
			best, least = name, d
		}
	}
	return best
}

// isNear reports whether a name is so few edits away from a text that whoever wrote the text may
// have meant the name: one for every three letters.
func isNear(edits int, text string) bool { return 3*edits <= max(3, len(text)) }

// distance is the least number of characters to add, drop, change or swap, to make one text of
// another.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
