package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTicks is USER_HZ, which Linux fixes at 100 for every architecture Go supports.
const clockTicks = 100

// usage reads resident memory and processor time from /proc; zeros if the process has just ended.
func usage(pid int) (rss uint64, cpu float64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The command name may hold spaces and parentheses: fields count from the last one.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 22 {
		return 0, 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	pages, _ := strconv.ParseUint(fields[21], 10, 64)
	return pages * uint64(os.Getpagesize()), (user + system) / clockTicks
}
