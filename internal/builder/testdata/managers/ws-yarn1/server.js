console.log(require('@ws/lib')(60000))
