"""What real commands said: a job of Slurm 22.05.8 as text and as JSON, and the same in the data format of 25.05 (whose
fields are those of the OpenAPI documentation, data_parser v0.0.43)."""

from __future__ import annotations

TEXT_22 = """\
JobId=6 JobName=train me
   UserId=games(5) GroupId=root(0) MCS_label=N/A
   Priority=4294901757 Nice=0 Account=nlp QOS=(null)
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   DerivedExitCode=0:0
   RunTime=00:00:03 TimeLimit=01:00:00 TimeMin=N/A
   SubmitTime=2026-11-25T13:59:23 EligibleTime=2026-11-25T13:59:23
   AccrueTime=2026-11-25T13:59:23
   StartTime=2026-11-25T13:59:23 EndTime=2026-11-25T14:59:23 Deadline=N/A
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2026-11-25T13:59:23 Scheduler=Main
   Partition=long AllocNode:Sid=localhost:31861
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=gpu-1
   BatchHost=gpu-1
   NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   TRES=cpu=1,node=1,billing=1
   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
   JOB_GRES=gpu:1
     Nodes=gpu-1 CPU_IDs=1 Mem=0 GRES=gpu:1(IDX:0)
   MinCPUsNode=1 MinMemoryNode=0 MinTmpDiskNode=0
   Features=(null) DelayBoot=00:00:00
   OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)
   Command=job.sh
   WorkDir=/
   Comment=hi
   StdErr=/srv/6.out
   StdIn=/dev/null
   StdOut=/srv/6.out
   Power=
   TresPerNode=gres:gpu:1
"""

JSON_22 = """{"meta": {"plugin": {"type": "openapi/v0.0.38"}}, "errors": [], "jobs": [
 {"account": "nlp", "array_job_id": 0, "array_task_id": null, "gres_detail": ["gpu:1(IDX:0)"], "job_id": 6,
  "job_resources": {"nodes": "gpu-1", "allocated_nodes": [{"sockets": {"0": {"cores": {"0": "allocated"}}}}]},
  "job_state": "RUNNING", "name": "train me", "nodes": "gpu-1", "het_job_id": 0, "het_job_id_set": "",
  "het_job_offset": 0, "partition": "long", "qos": "", "user_id": 5, "user_name": "games"},
 {"account": "vision", "array_job_id": 8, "array_task_id": 7, "gres_detail": ["gpu:1(IDX:1)"], "job_id": 9,
  "job_state": "RUNNING", "name": "arr", "nodes": "gpu-1", "het_job_id": 0, "het_job_offset": 0, "partition": "debug",
  "qos": "high", "user_name": "nobody"},
 {"account": "x", "array_job_id": 0, "array_task_id": null, "gres_detail": [], "job_id": 11, "job_state": "PENDING",
  "name": "het", "nodes": "", "het_job_id": 10, "het_job_offset": 1, "partition": "debug", "qos": "",
  "user_name": "games"}]}
"""

JSON_25 = """{"jobs": [
 {"account": "nlp", "array": {}, "array_job_id": {"set": true, "infinite": false, "number": 0},
  "array_task_id": {"set": false, "infinite": false, "number": 0}, "gres_detail": ["gpu:1(IDX:0)"], "job_id": 6,
  "job_state": ["RUNNING"], "name": "train me", "nodes": "gpu-1", "partition": "long", "qos": "normal",
  "het_job_id": {"set": true, "infinite": false, "number": 0},
  "het_job_offset": {"set": true, "infinite": false, "number": 0}, "user_name": "games"}],
 "meta": {"slurm": {"release": "25.05.3"}}, "errors": [], "warnings": [], "last_backfill": {"set": true, "number": 1}}
"""
