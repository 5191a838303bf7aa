package auditlog

import (
	"fmt"
	"time"
)

// Stats is what was read, and what of it could not be used: nothing is left out
// without being counted.
type Stats struct {
	Bytes       int64     `json:"bytes"` // as stored: compressed, where a log is
	Lines       int64     `json:"lines"`
	Entries     int64     `json:"entries"`          // that have to do with the engine
	Duplicates  int64     `json:"duplicates"`       // of another device, or of an overlapping rotation
	Foreign     int64     `json:"foreign"`          // lines that are no entry of an audit log
	Unfinished  int64     `json:"unfinished"`       // last lines that were cut off, or are still being written
	TooLong     int64     `json:"too_long"`         // lines beyond 16 MiB
	Unasked     int64     `json:"unasked"`          // responses whose request is not in the log
	Unattached  int64     `json:"unattached"`       // revocations of a lease whose id Vault hashed
	OutOfOrder  int64     `json:"out_of_order"`     // entries later than the window allows for
	JSONX       int64     `json:"jsonx"`            // lines of a device with format=jsonx, which is not read
	Broken      []string  `json:"broken,omitempty"` // sources that ended with an error, and the error
	End         time.Time `json:",omitzero"`        // of the logs: the last entry, whatever it is about
	First, Last time.Time `json:",omitzero"`        // entries about the engine
}

// Warnings are sentences about what was left out.
func (s Stats) Warnings() []string {
	var warnings []string
	say := func(count int64, format string) {
		if count > 0 {
			warnings = append(warnings, fmt.Sprintf(format, count))
		}
	}
	say(s.Duplicates, "%d entries stood in the logs more than once (two audit devices, or rotations that overlap) and were counted once")
	say(s.Foreign, "%d lines are no entries of Vault's audit log and were left out")
	say(s.Unfinished, "%d logs end in the middle of a line: they are being written, or were cut off")
	say(s.TooLong, "%d lines are longer than 16 MiB and were left out")
	say(s.Unasked, "%d responses have no request before them: the log begins in the middle, or a part is missing")
	say(s.Unattached, "%d revocations name a lease that Vault hashed, so it is not known which lease ended")
	say(s.OutOfOrder, "%d entries are far out of order; a request may have been taken for unanswered")
	say(s.JSONX, "%d lines are of an audit device with format=jsonx, which is not read: enable one with format=json")
	for _, broken := range s.Broken {
		warnings = append(warnings, broken+"; what came before it was used")
	}
	return warnings
}
